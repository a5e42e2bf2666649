"""A house over what a former release left: its database migrated by the code of now, its Slack and its Railway."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.clients.postgres.migrations import MIGRATIONS, migrate
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls
from tests.serving import no_proxy as no_proxy
from tests.stored.house import House, open_house
from tests.stored.rows import load_rows, read_header

LEFT = Path(__file__).parents[2] / "stored"
ROWS = LEFT / "rows.jsonl"


@pytest.fixture
async def stored_urls(empty_database_urls: DatabaseUrls, tmp_path: Path) -> DatabaseUrls:
    """Migrated as far as the former release had come, filled as it was left, then migrated to the end."""
    applied_then = {version for version, _ in read_header(ROWS)["applied"]}
    of_then = tmp_path / "migrations"
    of_then.mkdir()
    for file in MIGRATIONS.rglob("*.sql"):
        if file.name.partition("_")[0] in applied_then:
            shutil.copy(file, of_then)  # in one folder: the former release recorded all of them in Supabase's table
    await migrate(Secret(empty_database_urls.owner), directory=of_then)
    await load_rows(empty_database_urls.superuser, ROWS)
    await migrate(Secret(empty_database_urls.owner))
    return empty_database_urls


@pytest.fixture
async def house(stored_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[House]:
    """Everything but the bot, which a test starts."""
    dsns = {"owner_dsn": stored_urls.owner, "app_dsn": stored_urls.app, "bot_dsn": stored_urls.bot}
    async with open_house(tmp_path / "house", left=LEFT, **dsns) as house:
        yield house
