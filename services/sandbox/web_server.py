"""Serves the sandbox's application on free ports, to this machine only."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Iterator, Sequence

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from starlette.middleware.trustedhost import TrustedHostMiddleware

from services.domain.errors import OperatorError

OWN_HOSTS = ("127.0.0.1", "localhost")
KEEP_ALIVE_S = 60  # longer than the clients' own, because a call on a connection that is being closed is lost


def serve_own_hosts_only(app: FastAPI) -> None:
    """Refuse (400) foreign host names for this machine: after DNS rebinding a browser takes them for the same site."""
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(OWN_HOSTS), www_redirect=False)


def refuse_other_sites(request: Request) -> None:
    """Raise HTTPException (403) for requests of other sites, which must not stop a user's Postgres, for example.

    Browsers send the site of a request; older ones only its origin.
    """
    headers = request.headers
    origin = headers.get("origin")
    is_ours = origin is None or origin.partition("://")[2] == headers.get("host")
    if not is_ours or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "Only the sandbox's own page may do this")


# Below the ephemeral range, so that no process gets one by chance before ours listens on it.
UNASKED = range(10_000, 32_768)


def find_free_port(among: Sequence[int] = UNASKED) -> int:
    """A TCP port on 127.0.0.1 that is free now."""
    while True:
        port = random.choice(among)  # noqa: S311 - no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


HOST = "127.0.0.1"
PORTS_TRIED = 50


class WebServer:
    """A web server whose socket is opened at once, so that its URL is known before the application exists."""

    def __init__(self, wanted_port: int) -> None:
        """Take the port, or the next free one; 0 takes any. Raises OperatorError if none is free."""
        self._socket = _listen(wanted_port)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def serve(self, app: FastAPI) -> None:
        """Start to answer requests; return once it does."""
        # The page's live updates never end by themselves, so `stop` does not wait for them.
        config = uvicorn.Config(
            app,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not self._serving.done():
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Close all connections and the port."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        self._socket.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the sandbox, which has more to stop than this server."""
        yield


def _listen(wanted_port: int) -> socket.socket:
    last = wanted_port + PORTS_TRIED if wanted_port else 1
    for port in range(wanted_port, min(last, 65_536)):
        # With TCP named, asyncio disables Nagle's delay; without it each answer waits 40 ms for the client's ACK.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            listener.close()
            continue
        listener.listen(128)
        listener.setblocking(False)
        return listener
    raise OperatorError(
        "The sandbox was not started",
        why=f"no port from {wanted_port} to {last - 1} is free",
        what_next="Name another one: make demo PORT=9000, or --port 9000",
    )
