"""The SQL that people are given when the bot can't act fits the operated system."""

from __future__ import annotations

import pytest

from bot.cli import dispatch
from playbooks.manual import by_hand
from playbooks.steps import STEPS
from services.clients.postgres.pool import Connection
from services.domain.systems import CIVIL, RUNBOOK, System
from tests.conftest import DatabaseUrls
from tests.integration.civil.conftest import Civil
from tests.unit.playbooks.test_steps import example


def statements(system: System) -> dict[str, str]:
    manual = {name: by_hand(example(kind), system) or "" for name, kind in STEPS.items()}
    return {name: how.replace("{a,b}", "{}") for name, how in manual.items() if how.startswith("SELECT ")}


async def refused(conn: Connection, system: System) -> dict[str, str]:
    found = {}
    for name, statement in statements(system).items():
        try:
            await conn.execute(f"EXPLAIN {statement}".encode())
        except Exception as error:
            found[name] = str(error)
    return found


async def test_every_statement_is_planned_in_the_system(civil: Civil, as_owner: Connection) -> None:
    environ = {"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev", "SUPABASE_DB_URL": civil.owner_dsn}
    await dispatch(["adopt"], environ)

    assert len(statements(CIVIL)) >= 6
    assert await refused(as_owner, CIVIL) == {}


@pytest.mark.parametrize("civil", ["january"], indirect=True)
async def test_the_statements_of_our_own_system_would_not_be(civil: Civil, as_owner: Connection) -> None:
    assert civil.vintage == "january"
    assert len(await refused(as_owner, RUNBOOK)) >= 3


async def test_every_statement_is_planned_in_our_own_system(database_urls: DatabaseUrls) -> None:
    async with await Connection.connect(database_urls.owner, autocommit=True) as conn:
        assert await refused(conn, RUNBOOK) == {}
