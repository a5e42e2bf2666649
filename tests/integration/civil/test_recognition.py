"""A session finds out which system its database holds, and asks again while that is unknown."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.cli import dispatch
from services.clients.postgres.pool import Connection, Database, system_of
from services.clients.postgres.systems import read_system
from services.domain.secrets import Secret
from services.domain.systems import CIVIL, RUNBOOK
from tests.conftest import DatabaseUrls
from tests.integration.civil.conftest import Civil

JANUARY = pytest.mark.parametrize("civil", ["january"], indirect=True)


def connect(dsn: str) -> Database:
    return Database.connect_lazily(
        Secret(dsn), application_name="test", max_size=1, timeout_s=60.0, recognize=read_system
    )


@pytest.fixture
async def database(civil: Civil) -> AsyncIterator[Database]:
    """The database as its owner, which needs no adoption first."""
    database = connect(civil.owner_dsn)
    yield database
    await database.close()


async def test_both_vintages_are_recognized_at_the_first_session(database: Database) -> None:
    assert database.system is None

    async with database.read(timeout_s=60.0) as conn:
        assert system_of(conn) is CIVIL

    assert database.system is CIVIL
    assert database.recognition is not None
    assert (database.recognition.adopted, database.recognition.problem) == (None, None)


@pytest.mark.parametrize("role", ["dragonfly_bot", "dragonfly_app"])
async def test_a_role_that_may_read_nothing_still_recognizes_the_system(civil: Civil, role: str) -> None:
    environ = {"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev", "SUPABASE_DB_URL": civil.owner_dsn}
    await dispatch(["adopt"], environ)
    database = connect(civil.dsn(role))

    await database.open()

    assert database.recognition is not None
    assert database.recognition.system is CIVIL
    assert database.recognition.adopted == ("civil" if role == "dragonfly_bot" else None)
    await database.close()


@JANUARY
async def test_an_unknown_system_is_looked_at_again_in_each_transaction(
    database: Database, as_owner: Connection
) -> None:
    await as_owner.execute("ALTER TABLE ops.job_queue RENAME COLUMN last_error TO oops")
    await database.open()
    unknown = database.recognition

    await as_owner.execute("ALTER TABLE ops.job_queue RENAME COLUMN oops TO last_error")
    await database.open()

    assert unknown is not None
    assert (unknown.system, unknown.nearest, unknown.missing) == (None, CIVIL, ("ops.job_queue.last_error",))
    assert database.system is CIVIL


@JANUARY
async def test_another_system_than_the_adopted_one_is_a_problem(civil: Civil, as_owner: Connection) -> None:
    environ = {"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev", "SUPABASE_DB_URL": civil.owner_dsn}
    await dispatch(["adopt"], environ)
    await as_owner.execute("UPDATE chatops.installation SET system = 'runbook'")
    database = connect(civil.dsn("dragonfly_bot"))

    await database.open()

    assert database.recognition is not None
    assert database.recognition.problem is not None
    await database.close()


async def test_our_own_system_is_recognized_with_every_role(database_urls: DatabaseUrls) -> None:
    for dsn in (database_urls.bot, database_urls.app):
        database = connect(dsn)

        await database.open()

        assert database.system is RUNBOOK
        await database.close()
