"""The API's report about itself: for people and the bot, Railway's health check, and Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Response, Security
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from pydantic import BaseModel, PlainSerializer

from services.api.access import key_check
from services.api.errors import documented
from services.api.settings import ApiSettings
from services.clients.postgres.intake import IntakeState, prove_upload, read_intake_state
from services.clients.postgres.pool import Database
from services.clients.postgres.writes import WriteProbe
from services.domain.errors import SourceError


class Metrics:
    """The API's Prometheus metrics. Labels are from small closed sets: the route's template, never the actual path."""

    def __init__(self, *, git_sha: str, environment: str) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        info = Gauge("dragonfly_api_info", "What runs", ["git_sha", "environment"], registry=self._registry)
        info.labels(git_sha, environment).set(1)
        self._requests = Counter(
            "dragonfly_api_requests", "Answers given", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "dragonfly_api_request_seconds", "Time to the last byte", ["route"], registry=self._registry
        )
        self._rows = Counter("dragonfly_api_uploaded_rows", "CSV rows stored", registry=self._registry)

    def count_request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_rows(self, rows: int) -> None:
        self._rows.inc(rows)

    def expose(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self._registry)


def iso_seconds(moment: datetime) -> str:
    """UTC to the second with a Z, as the runbook shows it: `2025-12-20T10:30:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Timestamp = Annotated[datetime, PlainSerializer(iso_seconds, return_type=str)]


class Live(BaseModel):
    """The process answers. Says nothing about the database: otherwise no rollback could go live while it is down."""

    status: str = "ok"


class Health(BaseModel):
    """The runbook's keys ("API Health Check"); `status` is `ok` or `degraded`.

    `db_writable` is present only as `false`: the database answers reads and refuses writes.
    """

    status: str
    environment: str
    git_sha: str
    db_connected: bool
    timestamp: Timestamp
    db_writable: Literal[False] | None = None


class IntakeHealth(BaseModel):
    """`pending_jobs` and `last_batch_at` are null if the database does not report them; `last_batch_at` also before the
    first batch.

    `db_writable` as in `Health`.
    """

    status: str
    db_connected: bool
    pending_jobs: int | None
    last_batch_at: Timestamp | None
    timestamp: Timestamp
    db_writable: Literal[False] | None = None


def health_routes(settings: ApiSettings, database: Database, metrics: Metrics) -> APIRouter:
    """The health routes. `database` is for probes only: uploads in every other session must not look like an outage."""
    router = APIRouter(tags=["health"], responses=documented(429))
    writes = WriteProbe(database, prove_upload, timeout_s=settings.health_timeout_s)

    @router.get("/api/live")
    async def live() -> Live:
        return Live()

    @router.get("/api/health", responses={503: {"model": Health}}, response_model_exclude_unset=True)
    async def health(response: Response) -> Health:
        connected = await _is_connected(database, settings.health_timeout_s)
        refuses = connected and await writes.problem() is not None
        response.status_code = 200 if connected and not refuses else 503
        return Health(
            status="ok" if response.status_code == 200 else "degraded",
            environment=settings.environment,
            git_sha=settings.git_sha,
            db_connected=connected,
            timestamp=datetime.now(UTC),
            **_write_status(refuses),
        )

    @router.get("/api/v1/intake/health", responses={503: {"model": IntakeHealth}}, response_model_exclude_unset=True)
    async def intake_health(response: Response) -> IntakeHealth:
        connected = await _is_connected(database, settings.health_timeout_s)
        state = await _intake_state(database, settings.health_timeout_s) if connected else None
        refuses = connected and await writes.problem() is not None
        response.status_code = 200 if state and not refuses else 503
        return IntakeHealth(
            status="ok" if response.status_code == 200 else "degraded",
            db_connected=connected,
            pending_jobs=state.pending_jobs if state else None,
            last_batch_at=state.last_batch_at if state else None,
            timestamp=datetime.now(UTC),
            **_write_status(refuses),
        )

    if settings.metrics_enabled:
        guards = [Security(key_check(settings.api_keys, closed="The metrics are closed"))]

        @router.get(
            "/api/v1/metrics", include_in_schema=False, dependencies=guards if settings.metrics_need_key else None
        )
        async def expose_metrics() -> Response:
            return Response(metrics.expose(), media_type=CONTENT_TYPE_LATEST)

    return router


def _write_status(refuses: bool) -> dict[str, Literal[False]]:
    """`db_writable`, only if it is false: the healthy answer has the runbook's keys and no others."""
    return {"db_writable": False} if refuses else {}


async def _is_connected(database: Database, timeout_s: float) -> bool:
    try:
        async with database.read(timeout_s=timeout_s):  # BEGIN and COMMIT go to the server and back
            return True
    except SourceError:
        return False


async def _intake_state(database: Database, timeout_s: float) -> IntakeState | None:
    """The intake's state; None if its tables can't be read though the database answers (no migration or grant)."""
    try:
        async with database.read(timeout_s=timeout_s) as conn:
            return await read_intake_state(conn)
    except SourceError:
        return None
