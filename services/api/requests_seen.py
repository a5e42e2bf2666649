"""Logs and counts every answer: method, route, status, time. Never the query string, the path's values or the body."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.metrics import Metrics

log = logging.getLogger(__name__)

QUIET_ROUTES = frozenset({"/api/live", "/api/health", "/api/v1/intake/health", "/api/v1/metrics"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestsSeen:
    """ASGI middleware around the whole app. Probes that succeed are counted but not logged, unless they failed before:
    that line is how a reader of the log knows that an outage is over.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._failing: set[str] = set()  # quiet routes whose last answer was an error; a handful

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
        if self._is_told(route, status):
            log.info("%s %s %d %.0f ms", method, route, status, seconds * 1000)

    def _is_told(self, route: str, status: int) -> bool:
        if route not in QUIET_ROUTES:
            return True
        if status >= 400:
            self._failing.add(route)
            return True
        was_failing = route in self._failing
        self._failing.discard(route)
        return was_failing
