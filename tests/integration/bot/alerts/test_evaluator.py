"""Alerts that the evaluator stores and announces for planted faults, with the rights of the bot's own role."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.alerts.evaluator import BUSY_EVERY
from bot.config.environment import Settings
from bot.config.timing import EvaluatorSettings
from bot.leader import LostLeadershipError
from services.domain.alerts import AlertChange, AlertState, Severity
from services.domain.services import Service
from tests.integration.bot.alerts.conftest import Engine
from tests.integration.bot.conftest import MakeWorld, Outside, System
from tests.outside import PATIENCE_S


def engine_that_asks_at_each_tick(make_world: MakeWorld, engine: Engine) -> Engine:
    """An evaluator that asks Railway and the API at each evaluation, not every 20 s."""
    world = make_world(engine.urls.bot)
    world.settings = replace(world.settings, evaluator=EvaluatorSettings(railway_every_s=0.0))
    return Engine(world, engine.database, engine.urls, engine.fence)


def queue(system: System, columns: str, values: str) -> None:
    system.run(f"INSERT INTO ops.job_queue (job_type, {columns}) VALUES ('a', {values})")  # noqa: S608 - ours


def kill(system: System, worker_id: str = "ingest-1") -> None:
    system.run(
        "UPDATE ops.worker_heartbeats SET last_heartbeat_at = now() - interval '301 seconds'"  # noqa: S608 - ours
        f" WHERE worker_id = '{worker_id}'"
    )


def revive(system: System, worker_id: str = "ingest-1") -> None:
    system.run(f"UPDATE ops.worker_heartbeats SET last_heartbeat_at = now() WHERE worker_id = '{worker_id}'")  # noqa: S608


@pytest.mark.usefixtures("working")
async def test_when_all_is_well_nothing_is_stored(engine: Engine) -> None:
    wait_s = await engine.tick()

    assert await engine.posted() == []
    assert await engine.alerts() == {}
    assert BUSY_EVERY.total_seconds() < wait_s <= 20


@pytest.mark.parametrize(
    ("columns", "values", "fingerprint"),
    [
        ("run_at", "now() - interval '301 seconds'", "backlog"),
        ("status, attempts, max_attempts, updated_at", "'failed', 5, 5, now()", "exhausted"),
    ],
)
async def test_a_fault_in_the_queue_is_reported(
    engine: Engine, working: System, columns: str, values: str, fingerprint: str
) -> None:
    queue(working, columns, values)

    await engine.tick()

    assert (await engine.alerts())[fingerprint].state is AlertState.FIRING


async def test_an_orphan_is_reported_after_five_minutes(engine: Engine, working: System) -> None:
    queue(working, "status, locked_at, locked_by", "'processing', now(), 'nobody'")
    await engine.tick()
    assert (await engine.alerts())["orphaned"].state is AlertState.PENDING

    working.run("UPDATE chatops.alerts SET since = now() - interval '5 minutes'")
    await engine.tick()

    assert (await engine.alerts())["orphaned"].state is AlertState.FIRING


async def test_a_grant_to_strangers_is_reported(engine: Engine, working: System) -> None:
    working.run("GRANT SELECT ON ops.intake_logs TO anon")

    await engine.tick()

    assert [event.fingerprint for event in engine.events] == ["grants.grants"]


async def test_evaluator_reports_blindness_when_a_grant_is_missing(engine: Engine, working: System) -> None:
    working.run("REVOKE SELECT ON ops.job_queue FROM dragonfly_bot")

    await engine.tick()

    answers = (await engine.alerts())["visibility.answers"]
    assert (answers.state, "queue" in answers.title) == (AlertState.PENDING, True)


@pytest.mark.usefixtures("working")
async def test_migrations_are_compared_with_the_files_that_the_settings_name(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    engine.world.settings = Settings.from_environment({"ENVIRONMENT": "prod", "DRAGONFLY_SQL": str(tmp_path)})

    await engine.tick()

    assert (await engine.alerts())["migrations"].title.endswith("that these files lack")


async def test_five_hundred_workers_that_fall_silent_are_one_message(
    engine: Engine, working: System, outside: Outside
) -> None:
    outside.replicas[Service.INGEST] = 500
    working.run(
        "INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, last_heartbeat_at)"
        " SELECT 'w' || n, 'ingest_processor', 'running', now() - interval '301 seconds'"
        " FROM generate_series(1, 500) AS n"
    )
    working.run("UPDATE ops.worker_heartbeats SET status = 'stopped' WHERE worker_id = 'ingest-1'")

    await engine.tick()

    [message] = await engine.posted()
    assert "PAGE prod · ingest is down (0 of 500)" in message.text
    assert message.priority == 10


async def test_alerts_that_begin_together_share_a_message_and_later_ones_join_its_thread(
    engine: Engine, working: System
) -> None:
    await engine.tick()
    kill(working)
    await engine.tick()
    kill(working, "enforcement-1")
    await engine.tick()

    root, joined = await engine.posted()
    assert "ingest is down (0 of 1)" in root.text
    assert "and 1 more alert" in root.text
    assert (joined.thread_key, joined.text) == (root.key, "Also: enforcement is down (0 of 1)")
    assert {event.message_key for event in engine.events} == {root.key}


async def test_first_evaluation_after_a_start_is_one_digest(engine: Engine, working: System) -> None:
    kill(working)
    queue(working, "status, attempts, max_attempts, updated_at", "'failed', 5, 5, now()")

    await engine.tick()

    [message] = await engine.posted()
    assert "and 1 more alert" in message.text


async def test_another_start_reports_nothing_again(engine: Engine, working: System) -> None:
    kill(working)
    await engine.tick()
    before = await engine.posted()

    engine.restart()
    await engine.tick()

    assert await engine.posted() == before
    assert len(engine.events) == 1


async def test_a_worker_that_is_back_is_reported_in_the_same_message(engine: Engine, working: System) -> None:
    kill(working)
    await engine.tick()
    revive(working)
    await engine.tick()

    [message] = await engine.posted()
    assert "Resolved prod · ingest 1 of 1 alive" in message.text
    assert [event.change for event in engine.events] == [AlertChange.FIRED, AlertChange.RESOLVED]


async def test_each_decision_is_kept_with_its_reason(engine: Engine, working: System) -> None:
    kill(working)
    await engine.tick()
    revive(working)
    await engine.tick()

    reported, resolved = await engine.decisions("heartbeats.ingest")
    assert reported.decision == "told"
    assert re.fullmatch(r"firing since \d\d:\d\d UTC", reported.reason)
    assert (resolved.decision, resolved.reason) == ("resolved", "ingest 1 of 1 alive")


async def test_after_a_time_in_which_no_one_looked_stale_beats_are_no_news(engine: Engine, working: System) -> None:
    await engine.tick()
    kill(working)
    working.run("UPDATE chatops.watch SET looked_at = now() - interval '2 minutes'")

    engine.restart()
    await engine.tick()

    held = (await engine.alerts())["heartbeats.ingest"]
    assert (held.state, held.held.startswith("the evaluator was not running")) == (AlertState.PENDING, True)
    working.run("UPDATE chatops.watch SET blind_until = now()")
    await engine.tick()
    assert [event.severity for event in engine.events] == [Severity.PAGE]


def start_run(conn: psycopg.Connection[Any]) -> None:
    """Store a running run on ingest, without its approvals."""
    conn.execute("SET session_replication_role = replica")
    conn.execute(
        "INSERT INTO chatops.runs (state, environment, playbook, parameters, plan, plan_hash, risk, title, services,"
        " reason, channel, approvals_needed, kinds, format, expires_at, approved_at, started_at) VALUES ('running',"
        " 'prod', 'restart', '{}', '{}', repeat('a', 64), 'low', 'Restart', '{dragonfly-worker-ingest}', '', 'c', 0,"
        " '{X}', 1, now() + interval '1 hour', now(), now())"
    )
    conn.execute(
        "INSERT INTO chatops.outbox (key, channel, text, blocks)"
        " SELECT 'run:' || id, 'c', 'Restart ingest', '[]' FROM chatops.runs"
    )


async def test_an_alert_during_a_run_goes_into_its_thread_and_is_announced_if_the_run_fails(
    engine: Engine, working: System
) -> None:
    with psycopg.connect(engine.urls.superuser, autocommit=True) as conn:
        start_run(conn)
        kill(working)
        await engine.tick()
        await engine.tick()
        run, line = await engine.posted()
        assert line.thread_key == run.key == "run:1"
        assert line.text.startswith("ingest is down (0 of 1): announced in this thread only while")
        assert engine.events == []

        conn.execute("SET session_replication_role = replica")
        conn.execute("UPDATE chatops.runs SET state = 'failed', ended_at = now()")
        await engine.tick()

    assert [event.change for event in engine.events] == [AlertChange.FIRED]


async def test_a_leader_that_lost_its_lease_stores_nothing(engine: Engine, working: System) -> None:
    kill(working)
    working.run("UPDATE chatops.leases SET epoch = epoch + 1")

    with pytest.raises(LostLeadershipError):
        await engine.tick()

    assert (await engine.posted(), await engine.alerts()) == ([], {})


@pytest.mark.usefixtures("working")
async def test_a_crash_that_railway_reports_slowly_is_evaluated_at_once_and_not_an_interval_later(
    make_world: MakeWorld, engine: Engine, outside: Outside
) -> None:
    """An evaluation that is due does not wait for the sources: their answers arrive after it, and the next evaluation
    is 20 s later."""
    engine = engine_that_asks_at_each_tick(make_world, engine)
    woken = asyncio.Event()
    with contextlib.ExitStack() as stack:
        for wake_up in engine.watch.wake_ups:
            stack.enter_context(wake_up.listen(woken.set))
        await engine.tick()
        outside.instances[Service.INGEST] = "CRASHED"
        outside.railway_may_answer.clear()
        engine.watch._due_at = 0.0  # due now: the evaluation waits for no source
        await engine.tick()
        assert "crash_loop.ingest" not in await engine.alerts()

        outside.railway_may_answer.set()
        await asyncio.wait_for(woken.wait(), PATIENCE_S)

    await engine.tick()
    assert (await engine.alerts())["crash_loop.ingest"].state is AlertState.FIRING
