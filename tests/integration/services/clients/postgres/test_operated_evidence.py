"""Facts that a change needs, read as the bot's own role."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg

from services.clients.postgres.operated import list_job_outcomes, read_connection_use
from services.clients.postgres.pool import Connection
from services.domain.jobs import JobOutcomes
from tests.conftest import DatabaseUrls

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def test_jobs_are_counted_by_when_they_ended_and_each_span_has_its_answer(
    as_owner: Connection, as_bot: Connection
) -> None:
    ends = [
        ("completed", NOON),  # a span includes its beginning
        ("completed", NOON + HOUR),  # its end belongs to the next span
        ("failed", NOON + HOUR / 2),
        ("pending", NOON),
    ]
    for status, moment in ends:
        await as_owner.execute(
            "INSERT INTO ops.job_queue (job_type, status, updated_at) VALUES ('a', %s, %s)", (status, moment)
        )

    outcomes = await list_job_outcomes(
        as_bot, spans=[(NOON + HOUR, NOON + 2 * HOUR), (NOON - HOUR, NOON), (NOON, NOON + HOUR)]
    )

    assert outcomes == [JobOutcomes(1, 0), JobOutcomes(0, 0), JobOutcomes(1, 1)]


async def test_no_span_has_no_answer(as_bot: Connection) -> None:
    assert await list_job_outcomes(as_bot, spans=[]) == []


async def test_connection_use_counts_sessions_of_every_role(as_bot: Connection, database_urls: DatabaseUrls) -> None:
    async with await psycopg.AsyncConnection.connect(database_urls.superuser):
        use = await read_connection_use(as_bot)

    assert 2 <= use.used < use.limit  # this test's two; tests that run beside it have more
    assert not use.pooler_may_allow_fewer
