"""A local Slack on a real server, and real Bolt apps connected to it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from services.sandbox.slack.app import build_router
from services.sandbox.slack.workspace import Workspace

Connect = Callable[[AsyncApp], Awaitable[AsyncSocketModeHandler]]


@pytest.fixture(name="serve")
def serve_fixture() -> Callable[[FastAPI], AbstractAsyncContextManager[str]]:
    return serve


@asynccontextmanager
async def serve(app: FastAPI) -> AsyncIterator[str]:
    """The address of this app on a free port."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="websockets-sansio")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK honours these even for 127.0.0.1."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


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
    """Opens Socket Mode connections, and closes them at the end."""
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
