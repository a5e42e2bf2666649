"""Several jobs at once: which are claimed, in which order, and the outcome of each, as the workers' role."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import psycopg
import pytest
from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.worker import ClaimedJob, Ending, claim_jobs, finish_and_claim_jobs
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls

ADD = """
INSERT INTO ops.job_queue (job_type, priority, max_attempts, run_at)
VALUES (%s, %s, %s, now() + make_interval(secs => %s)) RETURNING id::text
"""


@dataclass(frozen=True)
class Waiting:
    """A pending job. `due_in_s`: negative when it has waited."""

    id: str
    job_type: str
    priority: int
    due_in_s: int


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database.connect_lazily(Secret(database_urls.app), application_name="test", max_size=4)
    yield database
    await database.close()


async def add(
    conn: Connection, job_type: str = "a", *, priority: int = 0, max_attempts: int = 5, due_in_s: int = 0
) -> str:
    row = await (await conn.execute(ADD, (job_type, priority, max_attempts, due_in_s))).fetchone()
    assert row
    return str(row[0])


async def limit_type(conn: Connection, job_type: str, max_running: int) -> None:
    await conn.execute("INSERT INTO ops.job_types (job_type, max_running) VALUES (%s, %s)", (job_type, max_running))


async def claim(conn: Connection, *job_types: str, limit: int, worker: str = "w1") -> list[str]:
    jobs = await claim_jobs(conn, worker_id=worker, job_types=job_types or ("a",), limit=limit)
    return [job.id for job in jobs]


async def finish_and_claim(
    database: Database, *endings: Ending, job_types: Sequence[str] = ("a",), limit: int = 1, worker: str = "w1"
) -> tuple[dict[str, str | None], list[ClaimedJob]]:
    return await finish_and_claim_jobs(
        database, endings=endings, worker_id=worker, job_types=job_types, limit=limit, timeout_s=10
    )


async def test_claim_takes_urgent_jobs_first_across_types(as_owner: Connection) -> None:
    low, high = await add(as_owner, due_in_s=-60), await add(as_owner, "b", priority=2)
    middle = await add(as_owner, priority=1)
    await add(as_owner, priority=9, due_in_s=60)

    assert await claim(as_owner, "a", "b", limit=2) == [high, middle]
    assert await claim(as_owner, "a", "b", limit=2) == [low]


async def test_of_equal_priority_the_type_that_waited_longest_comes_first(as_owner: Connection) -> None:
    young = await add(as_owner, "a", due_in_s=-1)
    old, between = await add(as_owner, "b", due_in_s=-9), await add(as_owner, "b", due_in_s=-5)

    assert await claim(as_owner, "a", "b", limit=3) == [old, between, young]


async def test_a_batch_takes_no_more_of_a_type_than_may_run(as_owner: Connection) -> None:
    await limit_type(as_owner, "a", 2)
    urgent, first = await add(as_owner, priority=1), await add(as_owner, due_in_s=-9)
    await add(as_owner, due_in_s=-8)
    others = [await add(as_owner, "b", due_in_s=-n) for n in (7, 6)]

    assert await claim(as_owner, "a", "b", limit=10) == [urgent, first, *others]
    assert await claim(as_owner, "a", "b", limit=10) == []


async def test_batches_at_once_share_the_jobs_and_keep_to_the_limits(
    database_urls: DatabaseUrls, as_owner: Connection
) -> None:
    """In whatever order each names the types: no two of them wait for each other."""
    await limit_type(as_owner, "a", 7)
    await limit_type(as_owner, "b", 9)
    for _ in range(20):
        await asyncio.gather(add(as_owner, "a"), add(as_owner, "b"), add(as_owner, "c"))

    async def work(name: str, job_types: tuple[str, ...]) -> list[str]:
        async with await psycopg.AsyncConnection.connect(database_urls.app, autocommit=True) as conn:
            return [job for _ in range(3) for job in await claim(conn, *job_types, limit=5, worker=name)]

    orders = [("a", "b", "c"), ("c", "b", "a"), ("b", "a")] * 2
    taken = [
        job for jobs in await asyncio.gather(*(work(f"w{n}", types) for n, types in enumerate(orders))) for job in jobs
    ]

    running = "SELECT job_type, count(*) FROM ops.job_queue WHERE status = 'processing' GROUP BY 1 ORDER BY 1"
    counted = dict(await (await as_owner.execute(running)).fetchall())
    assert len(taken) == len(set(taken)) == sum(counted.values())
    assert (counted["a"], counted["b"]) == (7, 9)


async def test_each_job_of_a_batch_ends_in_its_own_way(database: Database, as_owner: Connection) -> None:
    done, retried, lost, returned, foreign = [await add(as_owner, due_in_s=n - 9) for n in range(5)]
    assert await claim(as_owner, limit=4) == [done, retried, lost, returned]
    assert await claim(as_owner, limit=1, worker="w2") == [foreign]

    endings = [
        Ending(done, "completed", result={"rows": 3}),
        Ending(retried, "failed", error="boom"),
        Ending(lost, "failed", error="bad", may_retry=False),
        Ending(returned, "pending"),
        Ending(foreign, "completed"),
    ]
    statuses, claimed = await finish_and_claim(database, *endings, limit=0)

    assert claimed == []
    assert statuses == {done: "completed", retried: "pending", lost: "failed", returned: "pending", foreign: None}
    query = "SELECT id::text, attempts, result, error_message, locked_by FROM ops.job_queue"
    rows = {row[0]: row[1:] for row in await (await as_owner.execute(query)).fetchall()}
    assert rows == {
        done: (1, {"rows": 3}, None, None),
        retried: (1, None, "boom", None),
        lost: (1, None, "bad", None),
        returned: (0, None, None, None),
        foreign: (1, None, None, "w2"),
    }


async def test_finished_job_frees_its_place_in_the_limit_for_the_next_claim(
    database: Database, as_owner: Connection
) -> None:
    await limit_type(as_owner, "a", 1)
    first, second = await add(as_owner, due_in_s=-9), await add(as_owner)

    _, [job] = await finish_and_claim(database)
    _, nothing = await finish_and_claim(database)
    statuses, [following] = await finish_and_claim(database, Ending(job.id, "completed"))

    assert (job.id, nothing, statuses) == (first, [], {first: "completed"})
    assert following == ClaimedJob(second, "a", {}, 1, 5, 1)


async def test_an_invalid_outcome_rolls_back_the_claim_too(database: Database, as_owner: Connection) -> None:
    first, second = await add(as_owner, due_in_s=-9), await add(as_owner)
    await finish_and_claim(database)

    with pytest.raises(SourceError):
        await finish_and_claim(database, Ending(first, "processing"))  # type: ignore[arg-type]

    query = "SELECT id::text, status FROM ops.job_queue"
    assert dict(await (await as_owner.execute(query)).fetchall()) == {first: "processing", second: "pending"}


async def test_a_job_that_was_taken_from_a_worker_cannot_be_ended_by_it(
    database: Database, as_owner: Connection
) -> None:
    job = await add(as_owner)
    await claim(as_owner, limit=1)
    await as_owner.execute("SELECT * FROM ops.reap_jobs('{a}', interval '0')")

    before, _ = await finish_and_claim(database, Ending(job, "completed"), limit=0)
    assert await claim(as_owner, limit=1, worker="w2") == [job]
    after, _ = await finish_and_claim(database, Ending(job, "completed"), limit=0)

    assert (before, after) == ({job: None}, {job: None})


async def test_an_outcome_counts_for_its_own_claim_only(database: Database, as_owner: Connection) -> None:
    """Handed back between the two, so that both have the same worker and the same attempt."""
    job = await add(as_owner)
    for _ in range(2):
        await claim(as_owner, limit=1)
        held = await (await as_owner.execute("SELECT attempts, claim FROM ops.job_queue")).fetchone()
        await as_owner.execute("SELECT FROM ops.update_job_status(%s, 'pending')", [job])
    await claim(as_owner, limit=1)

    late, _ = await finish_and_claim(database, Ending(job, "completed", claim=2), limit=0)
    right, _ = await finish_and_claim(database, Ending(job, "completed", claim=3), limit=0)

    assert held == (1, 2)
    assert (late, right) == ({job: None}, {job: "completed"})


async def test_a_worker_of_the_former_version_ends_its_own_attempt_only(as_owner: Connection) -> None:
    """It runs beside the new ones during a deploy, and does not know of claims."""
    job = await add(as_owner)
    for _ in range(2):
        await as_owner.execute("UPDATE ops.job_queue SET status = 'pending', locked_at = NULL, locked_by = NULL")
        await claim(as_owner, limit=1)
    former = "SELECT status FROM ops.update_job_statuses(%s, NULL)"

    late, right = [
        await (await as_owner.execute(former, [Jsonb([ending])])).fetchall()
        for ending in ({"id": job, "status": "completed", "attempts": attempts} for attempts in (1, 2))
    ]

    assert (late, right) == ([], [("completed",)])


async def test_claim_equals_the_rules_in_python_on_random_queues(as_owner: Connection) -> None:
    """Against the rules in Python, on random queues; `ops.pending_levels` against a plain GROUP BY."""
    chance = random.Random(4)  # noqa: S311 - the same queues at each run
    for _ in range(25):
        await as_owner.execute("TRUNCATE ops.job_queue, ops.job_types")
        waiting = [await _add_any(as_owner, chance, place) for place in range(chance.randint(0, 25))]
        incident_service = {job_type: chance.randint(1, 4) for job_type in "abc" if chance.random() < 0.4}
        for job_type, max_running in incident_service.items():
            await limit_type(as_owner, job_type, max_running)
        asked, limit = chance.sample("abcx", chance.randint(1, 3)), chance.randint(1, 12)

        assert await _levels(as_owner) == _levels_of(waiting)
        assert await claim(as_owner, *asked, limit=limit) == _expected(waiting, asked, incident_service, limit)


async def _add_any(conn: Connection, chance: random.Random, place: int) -> Waiting:
    """Add a random job, with a waiting time that no other job has."""
    job_type, priority = chance.choice("abc"), chance.choice([-1, 0, 0, 5])
    due_in_s = chance.choice([-1, -1, 1]) * (1000 + place * 10 + chance.randint(0, 5))
    job_id = await add(conn, job_type, priority=priority, due_in_s=due_in_s)
    return Waiting(job_id, job_type, priority, due_in_s)


async def _levels(conn: Connection) -> list[tuple[str, int]]:
    query = """
        SELECT job_type, priority FROM ops.pending_levels
        JOIN (SELECT job_type, priority, min(run_at) AS run_at FROM ops.job_queue GROUP BY 1, 2) AS grouped
            USING (job_type, priority, run_at)
    """
    return sorted(await (await conn.execute(query)).fetchall())


def _levels_of(waiting: Sequence[Waiting]) -> list[tuple[str, int]]:
    return sorted({(job.job_type, job.priority) for job in waiting})


def _expected(
    waiting: Sequence[Waiting], asked: Sequence[str], incident_service: dict[str, int], limit: int
) -> list[str]:
    due = [job for job in waiting if job.due_in_s < 0 and job.job_type in asked]
    longest = {
        level: min(job.due_in_s for job in due if (job.job_type, job.priority) == level) for level in _levels_of(due)
    }
    due.sort(key=lambda job: (-job.priority, longest[job.job_type, job.priority], job.due_in_s))
    taken: list[Waiting] = []
    for job in due:
        running = sum(other.job_type == job.job_type for other in taken)
        if len(taken) < limit and running < incident_service.get(job.job_type, limit):
            taken.append(job)
    return [job.id for job in taken]
