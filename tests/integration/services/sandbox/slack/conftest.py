"""A local Slack on a real server, and real Bolt apps connected to it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from fastapi import FastAPI
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from services.sandbox.slack.control import build_router
from services.sandbox.slack.workspace import Workspace
from tests.serving import no_proxy as no_proxy
from tests.serving import serve

Connect = Callable[[AsyncApp], Awaitable[AsyncSocketModeHandler]]


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    workspace = Workspace()
    await workspace.start()
    yield workspace
    await workspace.close()


@pytest.fixture
async def base_url(workspace: Workspace) -> AsyncIterator[str]:
    app = FastAPI()
    app.include_router(build_router(workspace))
    async with serve(app) as url:
        workspace.base_url = url
        yield url
        await workspace.close()


@pytest.fixture
def client(base_url: str) -> AsyncWebClient:
    return AsyncWebClient("xoxb-local", base_url=f"{base_url}/slack/api/", retry_handlers=[])


@pytest.fixture
def app(client: AsyncWebClient) -> AsyncApp:
    return AsyncApp(client=client, signing_secret="local-secret")


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """`await connect(app)`: opens a Socket Mode connection, closed at the end."""
    handlers: list[AsyncSocketModeHandler] = []

    async def connect(app: AsyncApp) -> AsyncSocketModeHandler:
        handler = AsyncSocketModeHandler(app, "xapp-local", ping_interval=1.0)
        handlers.append(handler)
        await handler.connect_async()  # type: ignore[no-untyped-call]
        return handler

    yield connect
    for handler in handlers:
        await handler.close_async()  # type: ignore[no-untyped-call]
        await handler.client.aiohttp_client_session.close()
