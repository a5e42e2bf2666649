"""A house over what a former release left: its database migrated by the code of now, its Slack and its Railway."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.clients.postgres.migrations import MIGRATIONS, migrate
from services.domain.secrets import Secret
from services.sandbox.postgres.server import PostgresServer
from tests.conftest import DatabaseUrls, Superuser, make_test_database
from tests.serving import no_proxy as no_proxy
from tests.stored.house import House, open_house
from tests.stored.rows import load_rows, read_header

LEFT = Path(__file__).parents[2] / "stored"
ROWS = LEFT / "rows.jsonl"


@pytest.fixture(scope="session")
def carried_on(
    postgres_server: PostgresServer, superuser: Superuser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database to copy: migrated as the former release did, filled as it was left, then migrated to the end."""
    with contextlib.contextmanager(make_test_database)(postgres_server, superuser, "template0") as urls:
        asyncio.run(_carry_on(urls, tmp_path_factory.mktemp("migrations")))
        yield urls.owner.rpartition("/")[2]


async def _carry_on(urls: DatabaseUrls, of_then: Path) -> None:
    applied_then = {version for version, _ in read_header(ROWS)["applied"]}
    for file in MIGRATIONS.rglob("*.sql"):
        if file.name.partition("_")[0] in applied_then:
            shutil.copy(file, of_then)  # in one folder: the former release recorded all of them in Supabase's table
    await migrate(Secret(urls.owner), directory=of_then)
    await load_rows(urls.superuser, ROWS)
    await migrate(Secret(urls.owner))


@pytest.fixture
def stored_urls(postgres_server: PostgresServer, superuser: Superuser, carried_on: str) -> Iterator[DatabaseUrls]:
    """What the former release left, in the schema of now."""
    yield from make_test_database(postgres_server, superuser, carried_on)


@pytest.fixture
async def house(stored_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[House]:
    """Everything but the bot, which a test starts."""
    dsns = {"owner_dsn": stored_urls.owner, "app_dsn": stored_urls.app, "bot_dsn": stored_urls.bot}
    async with open_house(tmp_path / "house", left=LEFT, **dsns) as house:
        yield house
