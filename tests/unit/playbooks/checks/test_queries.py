"""Drift: which reads no longer fit, and which commands that takes away."""

from __future__ import annotations

from bot.commands._registry import REGISTRY
from playbooks._contract import Status
from playbooks.checks.queries import COMMANDS, check
from services.domain.errors import Unavailable
from services.postgres.queries import OPERATED_SQL


def test_every_read_of_the_operated_tables_names_commands_that_exist() -> None:
    assert set(COMMANDS) == set(OPERATED_SQL)
    assert {command for commands in COMMANDS.values() for command in commands} <= set(REGISTRY)


def test_a_read_that_does_not_fit_names_the_commands_it_takes_away() -> None:
    [finding] = check({"list_throughput": "column updated_at does not exist", "list_batches": None})

    assert finding.status is Status.FAIL
    assert finding.detail == "column updated_at does not exist; affects throughput"


def test_nobody_knows_is_not_fine() -> None:
    assert [f.status for f in check(Unavailable("database", "away"))] == [Status.UNKNOWN]
