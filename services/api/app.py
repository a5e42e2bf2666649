"""The API as one FastAPI application, and its access log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Security
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.access import RateLimits, key_check
from services.api.errors import DOCUMENT, show_errors
from services.api.health import Metrics, health_routes
from services.api.intake import intake_routes
from services.api.settings import ApiSettings
from services.clients.postgres.pool import Database
from services.process import await_database

log = logging.getLogger(__name__)

QUIET_ROUTES = frozenset({"/api/live", "/api/health", "/api/v1/intake/health", "/api/v1/metrics"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestsSeen:
    """ASGI middleware around the whole app that counts and logs requests.

    Successful probes are counted but not logged, unless the probe failed before: that line shows in the log that an
    outage is over.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._failing: set[str] = set()  # quiet routes whose last answer was an error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "(unknown path)")
        method = scope["method"] if scope["method"] in METHODS else "(other)"
        self._metrics.count_request(method=method, route=route, status=status, seconds=seconds)
        if self._is_logged(route, status):
            log.info("%s %s %d %.0f ms", method, route, status, seconds * 1000)

    def _is_logged(self, route: str, status: int) -> bool:
        if route not in QUIET_ROUTES:
            return True
        if status >= 400:
            self._failing.add(route)
            return True
        was_failing = route in self._failing
        self._failing.discard(route)
        return was_failing


def build_app(settings: ApiSettings) -> FastAPI:
    """The app as ASGI servers run it. It starts and runs without the database, and reports that in its health."""
    database = Database.connect_lazily(settings.dsn, application_name="dragonfly-api", max_size=settings.pool_size)
    probes = Database.connect_lazily(
        settings.dsn, application_name="dragonfly-api-probe", max_size=1, timeout_s=settings.health_timeout_s
    )
    metrics = Metrics(git_sha=settings.git_sha, environment=settings.environment)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if not settings.api_keys:
            log.warning("DRAGONFLY_API_KEY is not set: the intake answers 503")
        connecting = asyncio.create_task(await_database(database, pool_size=settings.pool_size))
        try:
            yield
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
            await database.close()
            await probes.close()

    # Without an address for the document FastAPI serves no documentation pages either: they could not read it.
    address = None if settings.openapi_needs_key else DOCUMENT
    app = FastAPI(title="Dragonfly Civil API", version=settings.git_sha, lifespan=lifespan, openapi_url=address)
    if settings.openapi_needs_key:
        _serve_document(app, settings)
    app.add_middleware(
        RateLimits,
        per_address=settings.requests_per_minute_per_address,
        per_key=settings.requests_per_minute_per_key,
    )
    app.add_middleware(RequestsSeen, metrics=metrics)  # outermost: it also counts requests that the limits refuse
    app.include_router(health_routes(settings, probes, metrics))
    app.include_router(intake_routes(settings, database, metrics))
    show_errors(app)
    return app


def _serve_document(app: FastAPI, settings: ApiSettings) -> None:
    """Serve the OpenAPI document to holders of a key: the bot compares it with the operations that it needs."""
    guard = Security(key_check(settings.api_keys, closed="The document is closed"))

    @app.get(DOCUMENT, include_in_schema=False, dependencies=[guard])
    async def document() -> dict[str, Any]:
        return app.openapi()
