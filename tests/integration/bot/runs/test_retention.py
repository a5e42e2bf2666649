"""The leader deletes the steps of old runs, and only of those, on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.leader import Fence
from bot.retention import RUNS_AT_ONCE, Retention
from services.clients.postgres import leases
from services.clients.postgres.leases import LEADER
from services.clients.postgres.pool import Connection, Database
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls

KEEP = timedelta(days=1000)
PLANTED = """
ALTER TABLE chatops.runs DISABLE TRIGGER USER;
ALTER TABLE chatops.run_steps DISABLE TRIGGER USER;
INSERT INTO chatops.runs (
    state, environment, playbook, parameters, plan, plan_hash, risk, title, services, reason, channel, approvals_needed,
    kinds, format, created_at, expires_at, approved_at, started_at, ended_at
)
SELECT one.state, 'dev', 'scale', '{}', '{}', repeat('a', 64), 'high', one.title, '{dragonfly-api}', '', 'c', 1,
    '{ScaleService}', 1, at, at + interval '15 minutes', at, at, CASE WHEN chatops.is_final(one.state) THEN at END
FROM (
    SELECT state, state || ' ' || age AS title, now() - age * interval '1 day' AS at
    FROM unnest(enum_range(NULL::chatops.run_state)) AS state, unnest(ARRAY[364, 366, 999, 1001]) AS age
    UNION ALL
    SELECT 'succeeded'::chatops.run_state, title, now() - interval '2000 days'
    FROM unnest(ARRAY['reviewed', 'unreviewed', 'locked', 'not proved']) AS title
    UNION ALL
    SELECT 'failed'::chatops.run_state, 'many', now() - interval '3000 days' FROM generate_series(1, 2 * 100 + 1)
) AS one;
INSERT INTO chatops.run_steps (run_id, position, step, state)
SELECT id, position, '{}', CASE WHEN title = 'not proved' THEN 'not_proved' ELSE 'done' END::chatops.step_state
FROM chatops.runs CROSS JOIN generate_series(0, 2) AS position;
INSERT INTO chatops.reviews (
    run_id, acted_by_user, acted_by_team, remind_at, reviewed_by_user, reviewed_by_team, note, reviewed_at
)
SELECT id, 'U1', 'T1', now(), CASE WHEN seen THEN 'U2' END, CASE WHEN seen THEN 'T1' END, CASE WHEN seen THEN 'x' END,
    CASE WHEN seen THEN now() END
FROM (SELECT id, title = 'reviewed' AS seen FROM chatops.runs WHERE title IN ('reviewed', 'unreviewed')) AS one;
INSERT INTO chatops.service_locks (service, owner, reason, run_id)
SELECT 'dragonfly-api', 'U1', 'x', id FROM chatops.runs WHERE title = 'locked';
"""
WITHOUT = """
SELECT title FROM chatops.runs AS run
WHERE NOT EXISTS (SELECT FROM chatops.run_steps AS step WHERE step.run_id = run.id) ORDER BY title
"""
FINAL = ("cancelled", "expired", "failed", "succeeded", "voided")


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test")
    yield database
    await database.close()


@pytest.fixture
async def leading(database: Database) -> Fence:
    async with database.transaction() as conn:
        epoch = await leases.take_lease(conn, name=LEADER, owner="t", duration=timedelta(minutes=5))
    assert epoch is not None
    return Fence("t", epoch)


@pytest.fixture(autouse=True)
async def planted(as_owner: Connection) -> None:
    await as_owner.execute(PLANTED)


async def without(conn: Connection) -> list[str]:
    """Return the titles of the runs that have no steps any more."""
    return [row[0] for row in await (await conn.execute(WITHOUT)).fetchall()]


async def test_the_steps_of_old_ended_runs_go_and_those_with_anything_open_stay(
    database: Database, leading: Fence, as_owner: Connection
) -> None:
    await Retention(database, run_steps=KEEP).tick(leading)

    gone = [title for title in await without(as_owner) if title != "many"]
    assert gone == sorted([*(f"{state} 1001" for state in FINAL), "reviewed"])
    assert (await without(as_owner)).count("many") == 2 * RUNS_AT_ONCE + 1, "in several rounds"


async def test_retention_deletes_nothing_without_its_setting(
    database: Database, leading: Fence, as_owner: Connection
) -> None:
    await Retention(database).tick(leading)

    assert await without(as_owner) == []


async def test_retention_keeps_a_year_of_runs_even_with_a_shorter_setting(
    database: Database, leading: Fence, as_owner: Connection
) -> None:
    await Retention(database, run_steps=timedelta(days=1)).tick(leading)

    gone = await without(as_owner)
    assert "succeeded 366" in gone
    assert not [title for title in gone if title.endswith(" 364")]
