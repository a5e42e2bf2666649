"""A world over a real database and the local Railway, which runs three small real processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from bot.config.environment import Settings
from bot.world import World
from services.clients.postgres.migrations import migrate
from services.clients.postgres.pool import Database
from services.clients.railway.client import RailwayClient
from services.clients.railway.transport import TokenKind
from services.domain.secrets import Secret
from services.sandbox.database import plant
from services.sandbox.railway.control import build_railway_router
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import Pace, ServiceSpec
from tests.conftest import DatabaseUrls
from tests.integration.services.clients.railway.conftest import LIVE, TALK
from tests.outside import PATIENCE_S
from tests.serving import serve

TOKEN = "made-up-token"
PACE = Pace(0.0, 0.0, 0.05, PATIENCE_S, 0.05, 2, 2.0, 0.05, 1)
SPECS = (
    ServiceSpec("dragonfly-api", ("python", "-c", LIVE), {}, 1, "/api/live", True),
    ServiceSpec("dragonfly-worker-ingest", ("python", "-c", TALK), {"CONCURRENCY": "3"}, 2),
    ServiceSpec("dragonfly-worker-enforcement", ("python", "-c", TALK)),
)

LocalWorld = Callable[..., World]


@pytest.fixture
async def railway(tmp_path: Path) -> AsyncIterator[LocalRailway]:
    """All three services, serving the newest good commit; the two commits before it are rollback targets."""
    local = LocalRailway(SPECS, directory=tmp_path, working_directory=tmp_path, token=TOKEN, pace=PACE)
    await local.start()
    try:
        await local.wait_until_serving(PATIENCE_S)
        yield local
    finally:
        await local.stop()


@pytest.fixture
async def sql_directory(tmp_path: Path, database_urls: DatabaseUrls) -> Path:
    """The bot's migrations and the sandbox's drill migration, which is the newest and applied."""
    directory = plant(tmp_path / "sql")
    await migrate(Secret(database_urls.owner), directory=directory / "migrations")
    return directory


@pytest.fixture
async def make_world(
    railway: LocalRailway, sql_directory: Path, database_urls: DatabaseUrls
) -> AsyncIterator[LocalWorld]:
    """`make_world(dsn, **environment)`: a world whose bot may roll migrations back."""
    app = FastAPI()
    app.include_router(build_railway_router(railway))
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(serve(app))

        def make(dsn: str, **environment: str) -> World:
            ours = {
                "ENVIRONMENT": "dev",
                "SUPABASE_MODE": "dev",
                "SUPABASE_DB_URL": dsn,
                "DRAGONFLY_SQL": str(sql_directory),
                "DRAGONFLY_ROLLBACK_DB_URL": database_urls.owner,
            }
            named = Settings.from_environment({**ours, **environment})
            world = World(
                replace(named, source_timeout_s=30.0),
                database=Database.connect_lazily(Secret(dsn), application_name="test", timeout_s=60.0),
                railway=RailwayClient(
                    url=f"{address}/railway/graphql/v2",
                    token=Secret(TOKEN),
                    token_kind=TokenKind.PROJECT,
                    project_id=railway.place.project_id,
                    environment_id=railway.place.environment_id,
                ),
            )
            stack.push_async_callback(world.close)
            return world

        yield make


@pytest.fixture
def world(make_world: LocalWorld, database_urls: DatabaseUrls) -> World:
    """A world over a migrated database, as `dragonfly_bot`."""
    return make_world(database_urls.bot)
