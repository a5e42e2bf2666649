"""The terminal over a real database: migrate, then read as the bot."""

from __future__ import annotations

import json

import pytest

from bot.cli import dispatch
from tests.conftest import DatabaseUrls


def environment(url: str, **more: str) -> dict[str, str]:
    return {"SUPABASE_DB_URL": url, "SUPABASE_MODE": "prod", "ENVIRONMENT": "prod", **more}


async def test_migrate_applies_everything_and_then_nothing(empty_database_urls: DatabaseUrls) -> None:
    environ = environment(empty_database_urls.bot, DRAGONFLY_ADMIN_DB_URL=empty_database_urls.owner)

    first = await dispatch(["migrate"], environ)
    second = await dispatch(["migrate"], environ)

    assert (first.code, second.code) == (0, 0)
    assert first.text.startswith("Applied ")
    assert "up to date" in second.text


async def test_reads_as_json(database_urls: DatabaseUrls) -> None:
    outcome = await dispatch(["queue", "--json"], environment(database_urls.bot))

    data = json.loads(outcome.text)
    assert outcome.code == 0
    assert data["status"] == "ok"
    assert data["jobs"] == []


@pytest.mark.parametrize("command", ["failed-jobs", "throughput", "intake", "migrations"])
async def test_every_read_prints_text_and_json(database_urls: DatabaseUrls, command: str) -> None:
    environ = environment(database_urls.bot)

    text, data = await dispatch([command], environ), await dispatch([command, "--json"], environ)

    assert text.text.strip()
    assert isinstance(json.loads(data.text), dict)
    assert text.code == data.code


async def test_an_unreachable_database_is_unknown_and_no_secret_is_told() -> None:
    url = "postgresql://dragonfly_bot:hunter2@127.0.0.1:1/dragonfly"

    outcome = await dispatch(["queue"], environment(url))

    assert outcome.code == 3
    assert "hunter2" not in outcome.text
