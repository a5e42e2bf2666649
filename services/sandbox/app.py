"""The sandbox's one web application: the page, the local Slack, Railway, OpenAI and pager, on one port."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from services.domain.errors import OperatorError
from services.sandbox.openai import build_router as build_openai
from services.sandbox.page.app import build_router as build_page
from services.sandbox.page.panel import BotFaults, DatabaseFaults
from services.sandbox.phone.phones import Phones
from services.sandbox.phone.phones import build_router as build_pager
from services.sandbox.railway.control import build_router as build_railway
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack.control import build_router as build_slack
from services.sandbox.slack.workspace import Workspace
from services.sandbox.web_server import serve_own_hosts_only


def build_app(
    workspace: Workspace,
    railway: LocalRailway,
    phones: Phones,
    database: DatabaseFaults,
    bot: BotFaults,
    commands: Sequence[tuple[str, str, str]],
    shortcuts: Sequence[tuple[str, str]] = (),
) -> FastAPI:
    """Everything that the bot, the tests and a browser reach over HTTP. `commands` are `(name, usage, summary)`."""
    app = FastAPI(title="Dragonfly sandbox", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(build_slack(workspace))
    app.include_router(build_railway(railway))
    app.include_router(build_openai())
    app.include_router(build_pager(phones))
    app.include_router(build_page(workspace, railway, phones, database, bot, commands, shortcuts))
    app.add_exception_handler(OperatorError, _show_error)
    serve_own_hosts_only(app)
    return app


async def _show_error(_request: Request, error: Exception) -> JSONResponse:
    """In the shape that the page shows."""
    return JSONResponse({"detail": str(error)}, status_code=409)
