"""The terminal over a real database: migrate, then read as the bot."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import psycopg
import pytest

from bot.cli import dispatch
from services.clients.postgres.audit import append_audit
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL_DIRECTORY
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


async def test_migrate_names_the_database_and_leaves_another_environment_s_alone(
    empty_database_urls: DatabaseUrls,
) -> None:
    prod = environment(empty_database_urls.bot, DRAGONFLY_ADMIN_DB_URL=empty_database_urls.owner)
    await dispatch(["migrate"], prod)

    other = await dispatch(["migrate"], prod | {"ENVIRONMENT": "staging", "SUPABASE_MODE": "staging"})
    again = await dispatch(["migrate"], prod)

    assert (other.code, again.code) == (1, 0)
    assert "belongs to prod" in other.text
    assert "ENVIRONMENT says staging" in other.text


async def test_a_database_may_belong_to_qa_and_nothing_else_gets_in(empty_database_urls: DatabaseUrls) -> None:
    qa = {"ENVIRONMENT": "qa", "SUPABASE_MODE": "qa"}
    environ = environment(empty_database_urls.bot, DRAGONFLY_ADMIN_DB_URL=empty_database_urls.owner)

    unknown = await dispatch(["migrate"], environ | {"ENVIRONMENT": "demo", "SUPABASE_MODE": "demo"})
    named = await dispatch(["migrate"], environ | qa)
    other = await dispatch(["migrate"], environ)
    read = await dispatch(["queue", "--json"], environ | qa)

    assert (unknown.code, named.code, other.code) == (1, 0, 1)
    assert "ENVIRONMENT is not dev, qa, staging or prod" in unknown.text
    assert "belongs to qa" in other.text
    assert "ENVIRONMENT says prod" in other.text
    assert read.code in (0, 1)


async def test_a_foreign_database_gets_none_of_what_is_pending(
    empty_database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    shutil.copytree(SQL_DIRECTORY / "migrations", tmp_path / "migrations")
    prod = environment(empty_database_urls.bot, DRAGONFLY_ADMIN_DB_URL=empty_database_urls.owner)
    await dispatch(["migrate"], prod)
    (tmp_path / "migrations" / "20990101000000_new.sql").write_text("CREATE TABLE public.new (id integer);")

    await dispatch(["migrate"], prod | {"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev", "DRAGONFLY_SQL": str(tmp_path)})

    status = await dispatch(["migrations", "--json"], prod | {"DRAGONFLY_SQL": str(tmp_path)})
    assert json.loads(status.text)["pending"] == ["20990101000000_new"]


async def test_migrate_wants_to_know_the_environment(empty_database_urls: DatabaseUrls) -> None:
    outcome = await dispatch(["migrate"], {"SUPABASE_DB_URL": empty_database_urls.owner})

    assert outcome.code == 1
    assert "ENVIRONMENT is not set" in outcome.text


async def test_reads_as_json(database_urls: DatabaseUrls) -> None:
    outcome = await dispatch(["queue", "--json"], environment(database_urls.bot))

    data = json.loads(outcome.text)
    assert outcome.code == 0
    assert data["status"] == "ok"
    assert data["jobs"] == []


async def test_the_gate_s_exit_code_is_for_scripts(database_urls: DatabaseUrls, as_owner: Connection) -> None:
    """Neither Railway nor the API is configured here: that is unknown, and under --strict a failure."""
    environ = environment(database_urls.bot)

    unknown, strict = await dispatch(["prod-gate"], environ), await dispatch(["prod-gate", "--strict"], environ)
    await as_owner.execute("GRANT SELECT ON ops.job_queue TO anon")
    exposed = await dispatch(["prod-gate"], environ)

    assert (unknown.code, strict.code, exposed.code) == (3, 1, 1)


@pytest.mark.parametrize("command", ["failed-jobs", "throughput", "intake", "migrations"])
async def test_every_read_prints_text_and_json(database_urls: DatabaseUrls, command: str) -> None:
    environ = environment(database_urls.bot)

    text, data = await dispatch([command], environ), await dispatch([command, "--json"], environ)

    assert text.text.strip()
    assert isinstance(json.loads(data.text), dict)
    assert text.code == data.code


async def test_an_unreachable_database_is_unknown_and_no_secret_is_reported() -> None:
    url = "postgresql://dragonfly_bot:hunter2@127.0.0.1:1/dragonfly"

    outcome = await dispatch(["queue"], environment(url))

    assert outcome.code == 3
    assert "hunter2" not in outcome.text


async def test_the_audit_log_is_exported_so_that_anyone_can_verify_it(
    database_urls: DatabaseUrls, as_bot: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing but SHA-256: each hash covers the one before and the line's content, the last one is the head."""
    monkeypatch.setattr("bot.commands.audit.EXPORTED_AT_ONCE", 2)
    for number in range(5):
        details = {"n": number, "why": "naïve “quotes”\n"}
        await append_audit(as_bot, actor=f"U{number}", event="run.approved", run_id=None, details=details)

    pages: list[str] = []
    outcome = await dispatch(["audit", "export"], environment(database_urls.bot), pages.append)

    assert [len(page.splitlines()) for page in pages] == [2, 2, 2]  # never more than one page in memory
    *rows, end = [json.loads(line) for line in "\n".join([*pages, outcome.text]).splitlines()]
    before = ""
    for row in rows:
        before = hashlib.sha256((before + row["content"]).encode()).hexdigest()
        assert row["hash"] == before
    assert [json.loads(row["content"])["actor"] for row in rows] == [
        "U0",
        "U1",
        "U2",
        "U3",
        "U4",
        "terminal",
    ]  # the export itself
    assert (end["head"], end["rows"], end["is_whole"]) == ({"seq": 6, "hash": before}, 6, True)
    assert outcome.code == 0


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ("DELETE FROM chatops.audit WHERE seq = 3", 3),  # the former end: the export adds a row
        ("DELETE FROM chatops.audit WHERE seq = 2", 3),
        ("UPDATE chatops.audit SET actor = 'U9' WHERE seq = 1", 4),
    ],
)
async def test_export_reports_a_log_that_was_changed(
    database_urls: DatabaseUrls, as_bot: Connection, as_owner: Connection, change: str, rows: int
) -> None:
    for number in range(3):
        await append_audit(as_bot, actor=f"U{number}", event="run.approved", run_id=None, details={})
    await as_owner.execute(f"ALTER TABLE chatops.audit DISABLE TRIGGER USER; {change}")

    outcome = await dispatch(["audit", "export"], environment(database_urls.bot))

    end = json.loads(outcome.text)
    assert (end["rows"], end["head"]["seq"], end["is_whole"], outcome.code) == (rows, 4, False, 1)


async def test_an_export_that_breaks_off_has_no_head_and_reports_so(
    database_urls: DatabaseUrls, as_bot: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.commands.audit.EXPORTED_AT_ONCE", 1)
    for number in range(3):
        await append_audit(as_bot, actor=f"U{number}", event="run.approved", run_id=None, details={})
    pages: list[str] = []

    def take_the_rest_away(page: str) -> None:
        pages.append(page)
        with psycopg.connect(database_urls.owner) as conn:
            conn.execute("REVOKE SELECT ON chatops.audit FROM dragonfly_bot")

    outcome = await dispatch(["audit", "export"], environment(database_urls.bot), take_the_rest_away)

    assert [json.loads(page)["seq"] for page in pages] == [1]
    assert (outcome.code, outcome.is_error) == (3, True)
    assert '"head"' not in outcome.text
