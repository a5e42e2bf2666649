"""The bot's HTTP endpoints as one FastAPI application, the check of Slack's signatures, and the server.

Bolt can check signatures, but only with one secret, and it answers 500 to a malformed timestamp or body.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from starlette.requests import ClientDisconnect

from bot.web.metrics import Health, Metrics
from services.domain.secrets import Secret, redacted
from services.process import listen
from services.web_protocol import TimeLimitedProtocol

MAX_BODY = 1_000_000  # bytes; Slack's payloads are far smaller (a view has at most 250 kB)
MAX_AGE_S = 300


@dataclass(frozen=True)
class Refusal:
    """The HTTP status of a refusal, and the reason for the log."""

    status: int
    why: str


def check(headers: Mapping[str, str], body: bytes, *, secrets: Sequence[Secret], now: float) -> Refusal | None:
    """Return None if the request is from Slack and readable. `headers`: lower-case names. `now`: Unix seconds."""
    if len(body) > MAX_BODY:
        return Refusal(413, "body too large")
    timestamp = headers.get("x-slack-request-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return Refusal(401, "timestamp is not a number")
    if abs(now - int(timestamp)) > MAX_AGE_S:
        return Refusal(401, "timestamp too old or in the future")
    if not _is_signed(headers.get("x-slack-signature", ""), timestamp, body, secrets):
        return Refusal(401, "signature does not match")
    if not _is_readable(headers.get("content-type", ""), body):
        return Refusal(400, "body is malformed")
    return None


def _is_signed(signature: str, timestamp: str, body: bytes, secrets: Sequence[Secret]) -> bool:
    base = b"v0:" + timestamp.encode() + b":" + body
    given = signature.encode("utf-8", "replace")  # compare_digest raises for text that is not ASCII
    fits = [hmac.compare_digest(_sign(secret, base), given) for secret in secrets]
    return any(fits)


def _sign(secret: Secret, base: bytes) -> bytes:
    return b"v0=" + hmac.new(secret.reveal().encode(), base, hashlib.sha256).hexdigest().encode()


def _is_readable(content_type: str, body: bytes) -> bool:
    """True if Bolt can parse the body: a JSON object, or a form whose `payload` is one."""
    try:
        text = body.decode("utf-8")
        if content_type.split(";")[0].strip() == "application/json" or text.startswith("{"):
            return isinstance(json.loads(text), dict)
        form = parse_qs(text, keep_blank_values=True)
        return all(isinstance(json.loads(payload), dict) for payload in form.get("payload", ()))
    except (ValueError, RecursionError):
        return False


BODY_WITHIN_S = 10.0  # Slack and Railway send the body at once


async def read_body(request: Request, *, limit: int, within_s: float = BODY_WITHIN_S) -> bytes:
    """Read the raw body, at most `limit` + 1 bytes. Empty if the client disconnected or took longer than `within_s`; an
    empty body never has a valid signature."""
    body = b""
    try:
        async with asyncio.timeout(within_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    return body[: limit + 1]
    except (ClientDisconnect, TimeoutError):
        return b""
    return body


logger = logging.getLogger(__name__)


def create_app(*, health: Callable[[], Awaitable[Health]], metrics: Metrics) -> FastAPI:
    """Make the app: /livez for Railway's health check, /healthz for the bot's monitor, /metrics for Prometheus."""
    app = FastAPI(title="Dragonfly ChatOps", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/livez")
    async def livez() -> dict[str, bool]:
        return {"alive": True}

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        now = await health()
        return JSONResponse(redacted(now.as_json()), status_code=now.http_status)

    @app.get("/metrics")
    async def read_metrics() -> Response:
        return Response(metrics.render(await health()), media_type=CONTENT_TYPE_LATEST)

    return app


def add_events(app: FastAPI, bolt: AsyncApp, secrets: Sequence[Secret]) -> None:
    """Add /slack/events, to which Slack posts in HTTP mode. Nothing is parsed before the signature is verified."""

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


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class WebServer:
    """HTTP server. `open` binds the port (0: any) on `host`, or on all IPv4 and IPv6 addresses.

    `close` finishes the running requests and stops.
    """

    def __init__(
        self,
        app: FastAPI,
        *,
        port: int,
        host: str | None = None,
        protocol: type[TimeLimitedProtocol] = TimeLimitedProtocol,
    ) -> None:
        self._config = uvicorn.Config(
            app,
            http=protocol,
            proxy_headers=False,  # any client can send X-Forwarded-For
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=3,
        )
        self._server = _Server(self._config)
        self._host, self._port = host, port
        self._sockets: list[socket.socket] = []
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The bound port; 0 before `open`."""
        return int(self._sockets[0].getsockname()[1]) if self._sockets else 0

    async def open(self) -> None:
        """Bind the port and start serving. Raises OSError if the port is in use."""
        self._sockets = listen(self._port, self._host)
        self._serving = asyncio.create_task(self._server.serve(sockets=self._sockets))

    async def close(self) -> None:
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        for listener in self._sockets:
            listener.close()
