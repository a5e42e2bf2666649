"""A house over the data of a former release: its database migrated by the current code, its Slack and its Railway."""

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
def former_schema(
    postgres_server: PostgresServer, superuser: Superuser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of an empty database to copy, migrated as far as the former release was."""
    with contextlib.contextmanager(make_test_database)(postgres_server, superuser, "template0") as urls:
        asyncio.run(_migrate_as_then(urls, tmp_path_factory.mktemp("migrations")))
        yield urls.owner.rpartition("/")[2]


async def _migrate_as_then(urls: DatabaseUrls, of_then: Path) -> None:
    applied_then = {version for version, _ in read_header(ROWS)["applied"]}
    for file in MIGRATIONS.rglob("*.sql"):
        if file.name.partition("_")[0] in applied_then:
            shutil.copy(file, of_then)  # one folder: the former release recorded all of them in Supabase's table
    await migrate(Secret(urls.owner), directory=of_then)


@pytest.fixture
def former_urls(postgres_server: PostgresServer, superuser: Superuser, former_schema: str) -> Iterator[DatabaseUrls]:
    """A database with the schema of the former release."""
    yield from make_test_database(postgres_server, superuser, former_schema)


@pytest.fixture
async def stored_urls(former_urls: DatabaseUrls) -> DatabaseUrls:
    """The rows that the former release stored a moment ago, in the current schema."""
    await load_rows(former_urls.superuser, ROWS)
    await migrate(Secret(former_urls.owner))
    return former_urls


@pytest.fixture
async def house(stored_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[House]:
    """Everything except the bot, which a test starts."""
    dsns = {"owner_dsn": stored_urls.owner, "app_dsn": stored_urls.app, "bot_dsn": stored_urls.bot}
    async with open_house(tmp_path / "house", left=LEFT, **dsns) as house:
        yield house
