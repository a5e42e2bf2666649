"""The endpoints as one FastAPI application."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest

from bot.slack_edge.guard import MAX_BODY, check
from bot.web.body import read_body
from bot.web.health import Health
from bot.web.metrics import CONTENT_TYPE_LATEST, Metrics
from services.domain.secrets import Secret

logger = logging.getLogger(__name__)


def create_app(*, health: Callable[[], Awaitable[Health]], metrics: Metrics) -> FastAPI:
    """/livez is for Railway's health check, /healthz for whoever watches the bot, /metrics for Prometheus."""
    app = FastAPI(title="Dragonfly ChatOps", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/livez")
    async def livez() -> dict[str, bool]:
        return {"alive": True}

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        now = await health()
        return JSONResponse(now.as_json(), status_code=now.http_status)

    @app.get("/metrics")
    async def read_metrics() -> Response:
        return Response(metrics.render(await health()), media_type=CONTENT_TYPE_LATEST)

    return app


def add_events(app: FastAPI, bolt: AsyncApp, secrets: Sequence[Secret]) -> None:
    """HTTP mode: Slack posts everything here. Nothing is parsed before the signature fits."""

    @app.post("/slack/events")
    async def events(request: Request) -> Response:
        body = await read_body(request, limit=MAX_BODY)
        refusal = check(request.headers, body, secrets=secrets, now=time.time())
        if refusal is not None:
            logger.warning("refused a request to /slack/events: %s", refusal.why)
            return Response(status_code=refusal.status)
        headers: dict[str, str | Sequence[str]] = dict(request.headers)
        answer = await bolt.async_dispatch(AsyncBoltRequest(body=body.decode(), headers=headers))
        return Response(answer.body, answer.status, answer.first_headers_without_set_cookie())
