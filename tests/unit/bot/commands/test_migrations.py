"""The answer of `migrations`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bot.commands.migrations import MAX_NAMED, migrations_answer
from playbooks import migrations
from playbooks.model import Status
from services.domain.database import AppliedMigration, MigrationStatus
from services.domain.errors import Unavailable
from services.sandbox.slack.limits import violations

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)


def applied(count: int) -> tuple[AppliedMigration, ...]:
    return tuple(AppliedMigration(f"{20251201000000 + n}", f"step_{n}", NOW, "ab") for n in range(count))


def test_the_newest_ten_are_shown_newest_first() -> None:
    status = MigrationStatus(applied(12), (), (), ())

    found = migrations_answer(migrations.check(status), status, migrations.newest(status))

    [table] = [block for block in found.blocks if block["type"] == "table"]
    rows = [[cell["text"] for cell in row] for row in table["rows"]]
    assert rows[1] == ["20251201000011", "2025-12-20 10:30 UTC", "step_11"]
    assert len(rows) == 11
    data: Any = found.data
    assert len(data["applied"]) == 12


def test_pending_and_changed_ones_are_named() -> None:
    status = MigrationStatus(applied(1), ("20260101000000_new",), ("20251201000000_step_0",), ("20270101000000",))

    found = migrations_answer(migrations.check(status), status, migrations.newest(status))

    assert found.status is Status.FAIL
    pending, changed, unknown = [line for line in found.text.splitlines() if line.startswith("•")]
    assert "not applied: `20260101000000_new`" in pending
    assert "changed" in changed
    assert changed.endswith("`20251201000000_step_0`")
    assert "in the database" in unknown
    assert unknown.endswith("`20270101000000`")


def test_an_empty_database_has_no_table_and_hundreds_of_files_fit() -> None:
    status = MigrationStatus((), tuple(f"{n}_{'x' * 200}" for n in range(300)), (), ())

    found = migrations_answer(migrations.check(status), status, migrations.newest(status))

    assert not violations({"text": found.text, "blocks": list(found.blocks)}, surface="message")
    assert f"{300 - MAX_NAMED} more not applied" in str(found.blocks)


def test_an_unreachable_database_is_unknown() -> None:
    away = Unavailable("database", "connection refused")

    found = migrations_answer(migrations.check(away), away, ())

    assert found.status is Status.UNKNOWN
    assert "connection refused" in found.text
