"""Serves the endpoints inside the bot's own event loop; signals stay the bot's."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from bot.web.header_limit import HeaderLimitedProtocol


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class WebServer:
    """`open` binds the port (0: any), `close` answers what is under way and ends."""

    def __init__(
        self,
        app: FastAPI,
        *,
        port: int,
        host: str = "0.0.0.0",  # noqa: S104 - Railway's proxy comes from outside
        protocol: type[HeaderLimitedProtocol] = HeaderLimitedProtocol,
    ) -> None:
        self._config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=protocol,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=3,
        )
        self._server = _Server(self._config)
        self._socket: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is bound; 0 before `open`."""
        return int(self._socket.getsockname()[1]) if self._socket else 0

    async def open(self) -> None:
        """Raises OSError when the port is taken."""
        self._socket = socket.create_server((self._config.host, self._config.port), backlog=100, reuse_port=False)
        # Inherited by each connection: with Nagle's delay an acknowledgement waits 40 ms for the client's ACK.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))

    async def close(self) -> None:
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        if self._socket is not None:
            self._socket.close()
