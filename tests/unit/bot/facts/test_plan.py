"""The effects of migrations are reported even if the linter is slow; it lints few files at a time."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bot.config.environment import Settings
from bot.facts.plan import examine
from bot.world import World
from services.clients import pg_parser, squawk

SQL = {"20991231000001_forget": "DROP TABLE ops.job_queue;", "20991231000002_own": "DROP OWNED BY CURRENT_USER;"}


def stand_in(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """A program `squawk` beside the interpreter."""
    program = folder / "squawk"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))


async def test_slow_linter_takes_nothing_of_what_migrations_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, tmp_path, "exec sleep 60")
    migrations = tmp_path / "migrations" / "operated"
    migrations.mkdir(parents=True)
    for title, sql in SQL.items():
        (migrations / f"{title}.sql").write_text(sql)
    environ = {"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev", "DRAGONFLY_SQL": str(tmp_path)}
    world = World(replace(Settings.from_environment(environ), source_timeout_s=2.0))
    await pg_parser.examine(SQL)  # remembered: only the linter is slow

    found = await examine(world, list(SQL), is_linted=True)
    await world.close()

    assert isinstance(found, dict)
    assert [found[title].destructive[0].words for title in SQL] == [
        "drops table ops.job_queue",
        "drops CURRENT_USER, or all that they own",
    ]
    assert [one.lint for one in found.values()] == [None, None]


async def test_few_files_are_linted_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = tmp_path / "running"
    running.mkdir()
    noted = f"touch {running}/$$; sleep 0.2; ls {running} | wc -l >> {tmp_path}/seen; rm {running}/$$"
    stand_in(monkeypatch, tmp_path, f"{noted}; cat > /dev/null; echo '[]'")

    found = await squawk.lint({str(number): "SELECT 1" for number in range(3 * squawk.AT_ONCE)})

    assert len(found) == 3 * squawk.AT_ONCE
    assert max(int(line) for line in (tmp_path / "seen").read_text().split()) <= squawk.AT_ONCE
