"""Reading the world: all sources at once, each independently."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.facts.health import gather_health
from bot.facts.verify import gather_heartbeats
from bot.world import World
from playbooks.health import report
from services.clients.postgres.operated import read_heartbeats
from services.domain.database import ServerFacts
from services.domain.errors import Unavailable
from services.domain.jobs import HeartbeatReading, QueueSnapshot
from services.domain.services import WorkerType
from tests.conftest import DatabaseUrls

if TYPE_CHECKING:
    from tests.integration.bot.conftest import Outside, System


MakeWorld = Callable[..., World]


async def test_reads_every_source(world: World, system: System) -> None:
    system.work()

    facts = await gather_health(world)

    missing = {name: value for name, value in vars(facts).items() if isinstance(value, Unavailable)}
    assert missing == {}
    assert not isinstance(facts.heartbeats, Unavailable)
    assert {beat.worker_id for beat in facts.heartbeats} == {"ingest-1", "enforcement-1"}
    assert facts.expected == {WorkerType.INGEST: 1, WorkerType.ENFORCEMENT: 1}


async def test_a_slow_source_is_unknown_after_its_time_and_delays_no_one(
    make_world: MakeWorld, database_urls: DatabaseUrls, outside: Outside
) -> None:
    outside.api_delay_s = 60
    world = make_world(database_urls.bot, timeout_s=3.0)
    await world.server()  # connect first, so that only the API is slow

    async with asyncio.timeout(30):
        facts = await gather_health(world)

    assert facts.api == Unavailable("API", "no answer within 3 s", is_outage=True)
    assert isinstance(facts.server, ServerFacts)
    assert isinstance(facts.queue, QueueSnapshot)


async def test_sources_are_asked_at_the_same_time(world: World, outside: Outside) -> None:
    outside.api_delay_s = outside.railway_delay_s = 0.5
    await world.server()

    await gather_health(world)

    assert outside.most_at_once >= 3  # Railway, the API's health and its intake


async def test_a_call_that_is_slow_to_be_cancelled_does_not_hold_the_answer(make_world: MakeWorld) -> None:
    """A server that accepts the connection and never answers, as a frozen one does."""
    with socket.socket() as frozen:
        frozen.bind(("127.0.0.1", 0))
        frozen.listen()
        world = make_world(f"postgresql://x:y@127.0.0.1:{frozen.getsockname()[1]}/x", timeout_s=0.5)

        started = time.perf_counter()
        found = await world.queue()
        elapsed_s = time.perf_counter() - started

    assert found == Unavailable("database", "no answer within 0.5 s", is_outage=True)
    assert elapsed_s < 20


async def test_a_query_that_is_blocked_is_unknown_in_time(
    make_world: MakeWorld, database_urls: DatabaseUrls, system: System
) -> None:
    world = make_world(database_urls.bot, timeout_s=3.0)
    await world.server()
    system.run("BEGIN")
    system.run("LOCK TABLE ops.job_queue")

    facts = await gather_health(world)
    system.run("ROLLBACK")

    assert isinstance(facts.queue, Unavailable)
    assert isinstance(facts.server, ServerFacts)


async def test_without_a_database_the_rest_is_read(make_world: MakeWorld) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"postgresql://x:y@127.0.0.1:{closed.getsockname()[1]}/x"
        facts = await gather_health(make_world(address))

    assert facts.queue == Unavailable("database", "server not reachable", is_outage=True)
    assert not isinstance(facts.services, Unavailable)
    assert not isinstance(facts.api, Unavailable)


async def test_a_source_without_settings_names_the_variables(make_world: MakeWorld) -> None:
    found = await make_world(None).read(read_heartbeats)

    assert found == Unavailable("database", "not configured: SUPABASE_DB_URL is not set")


async def test_a_refused_right_takes_one_answer_away_and_is_named(world: World, system: System) -> None:
    system.run("REVOKE SELECT (status) ON ops.job_queue FROM dragonfly_bot")

    facts = await gather_health(world)

    assert isinstance(facts.queue, Unavailable)
    assert "permission denied for table job_queue" in facts.queue.why
    assert not isinstance(facts.heartbeats, Unavailable)


async def test_time_is_the_databases(world: World, system: System) -> None:
    system.work()

    reading = await world.read(read_heartbeats)

    assert isinstance(reading, HeartbeatReading)
    ages = [beat.age(reading.as_of) for beat in reading.rows]
    assert all(age < timedelta(seconds=60) for age in ages)


async def test_replicas_are_remembered_while_railway_is_silent(world: World, outside: Outside, system: System) -> None:
    system.work()
    before = await gather_heartbeats(world)
    outside.railway_status = 500
    await asyncio.sleep(0.01)

    after = await gather_heartbeats(world)

    assert before.expected_age == timedelta()
    assert after.expected == before.expected
    assert after.expected_age > timedelta()


async def test_replicas_that_were_never_known_are_not_invented(world: World, outside: Outside) -> None:
    outside.railway_status = 500

    facts = await gather_heartbeats(world)

    assert all(isinstance(count, Unavailable) for count in facts.expected.values())


async def test_a_malformed_answer_is_one_sources_problem(world: World, outside: Outside) -> None:
    outside.health = {"status": ["not", "a", "word"]}

    facts = await gather_health(world)

    assert isinstance(facts.api, Unavailable)
    assert isinstance(facts.server, ServerFacts)


async def test_closing_waits_for_calls_that_outlived_their_time(make_world: MakeWorld, outside: Outside) -> None:
    outside.api_delay_s = 60
    world = make_world(None, timeout_s=0.05)

    await world.api_health()
    await world.close()

    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_a_healthy_system_is_reported_so(world: World, system: System) -> None:
    system.work()

    seen = report(await gather_health(world))

    assert seen.headline == "prod is healthy", seen.findings


@pytest.mark.parametrize(("status", "is_reported"), [(502, True), (200, False)])
async def test_since_when_the_api_is_bad_is_read_from_its_alert(
    world: World, outside: Outside, system: System, status: int, is_reported: bool
) -> None:
    outside.api_status = status
    written = system.conn.execute(
        "INSERT INTO chatops.alerts (fingerprint, rule, state, severity, summary, detail, since, opened_at)"
        " VALUES ('api', 'api', 'pending', 'page', 'api answers HTTP 502', '', now() - interval '6 min', now())"
        " RETURNING since"
    ).fetchone()
    assert written is not None

    facts = await gather_health(world)

    assert facts.api_bad_since == (written[0] if is_reported else None)
