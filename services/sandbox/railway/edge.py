"""The public address of the API service: forwards each request to a running replica, as Railway's edge does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from uuid import uuid4

import aiohttp
from aiohttp import web

# Headers of a connection, not of the message (RFC 9110 §7.6.1); the server sets its own for its answer.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade"}
)
_NOT_OURS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")  # not added if the caller did not send them
_NO_ANSWER = {"status": "error", "code": 502, "message": "Application failed to respond"}
_UNLIMITED = aiohttp.ClientTimeout(total=None, connect=5)


class Edge:
    """Forwards requests on one port for as long as the sandbox runs. `latency_s` is added to every request."""

    def __init__(self, find_ports: Callable[[], list[int]], http: aiohttp.ClientSession) -> None:
        self.latency_s = 0.0
        self.port = 0
        self._find_ports = find_ports
        self._http = http
        self._next_replica = count()
        self._server: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """The edge's URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int) -> None:
        """Listen; 0 takes any free port. Raises OSError if the port is taken."""
        # Cancelled when the caller disconnects, so that requests do not pile up at a frozen replica.
        self._server = web.ServerRunner(
            web.Server(self._forward, handler_cancellation=True, access_log=None), shutdown_timeout=1.0
        )
        await self._server.setup()
        site = web.TCPSite(self._server, "127.0.0.1", port)
        await site.start()
        self.port = self._server.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and close open connections."""
        if self._server:
            await self._server.cleanup()

    async def _forward(self, request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(self.latency_s)
        ports = self._find_ports()
        if not ports:
            return _failed()
        url = f"http://127.0.0.1:{ports[next(self._next_replica) % len(ports)]}{request.raw_path}"
        try:
            upstream = await self._http.request(
                request.method,
                url,
                headers=[*_end_to_end(request.headers), ("X-Forwarded-For", request.remote or "")],
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
                skip_auto_headers=_NOT_OURS,
                timeout=_UNLIMITED,
            )
        except (aiohttp.ClientError, TimeoutError):
            return _failed()
        async with upstream:
            return await _copy(upstream, request)


async def _copy(upstream: aiohttp.ClientResponse, request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(status=upstream.status, reason=upstream.reason)
    response.headers.extend(_end_to_end(upstream.headers))
    response.headers["X-Railway-Request-Id"] = uuid4().hex
    await response.prepare(request)
    try:
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
    except aiohttp.ClientError:  # the replica died in the middle: the caller must see that the answer is incomplete
        if request.transport:
            request.transport.close()
    else:
        await response.write_eof()
    return response


def _end_to_end(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP]


def _failed() -> web.Response:
    request_id = uuid4().hex
    body = {**_NO_ANSWER, "request_id": request_id}
    return web.json_response(
        body, status=502, headers={"X-Railway-Request-Id": request_id, "X-Railway-Fallback": "true"}
    )
