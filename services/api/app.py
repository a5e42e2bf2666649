"""Puts the API together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.api.errors import show_errors
from services.api.health import health_routes
from services.api.intake import intake_routes
from services.api.metrics import Metrics
from services.api.rate_limits import RateLimits
from services.api.requests_seen import RequestsSeen
from services.api.settings import ApiSettings
from services.postgres.pool import Database
from services.process.database import await_database

log = logging.getLogger(__name__)


def build_app(settings: ApiSettings) -> FastAPI:
    """The app as ASGI servers run it. It starts and lives without the database, and says so in its health."""
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

    app = FastAPI(title="Dragonfly Civil API", version=settings.git_sha, lifespan=lifespan)
    app.add_middleware(
        RateLimits,
        per_address=settings.requests_per_minute_per_address,
        per_key=settings.requests_per_minute_per_key,
    )
    app.add_middleware(RequestsSeen, metrics=metrics)  # outermost: it sees what the limits refuse
    app.include_router(health_routes(settings, probes, metrics))
    app.include_router(intake_routes(settings, database, metrics))
    show_errors(app)
    return app
