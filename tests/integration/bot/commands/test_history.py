"""Snapshots of the leader are stored once per minute and read back, even if there are many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.alerts.evaluator import Evaluator
from bot.alerts.history import HistoryRecorder
from bot.alerts.messages import AlertMessages, AlertMessageWriter
from bot.commands.dispatch import run
from bot.config.alerts_file import default_rules
from bot.leader import Fence
from bot.retention import Retention
from bot.types import Request
from bot.views.terminal import answer_text
from bot.wake_ups import WakeUps
from bot.web.metrics import Metrics
from bot.world import World
from services.clients.postgres import leases
from services.clients.postgres.history import (
    list_deploy_moments,
    prune_history,
    read_history,
    read_summed_until,
    record_history,
    sum_up_hour,
)
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, read_clock
from services.domain.errors import UsageError
from services.domain.history import KEPT, HistoryRecord, WorkerState
from services.domain.usage import Usage
from tests.integration.bot.conftest import System
from tests.integration.sql.test_indexes import explain, scanned_whole

BEATS = """
INSERT INTO chatops.history (minute, pending, api_ms, workers, usage)
SELECT date_bin('1 minute', now(), '2000-01-01 00:00:00+00') - n * interval '1 minute', n % 100, 20,
       '{"w1": ["ingest_processor", 1], "w2": ["enforcement_engine", 3]}', '{"dragonfly-api": {"memory_gb": 0.2}}'
FROM generate_series(0, 43199) AS n;
ANALYZE chatops.history;
"""


def evaluator(world: World) -> Evaluator:
    assert world.database is not None
    rules = default_rules()
    messages = AlertMessages(rules, channel="c")

    async def ignore(*_: object) -> None:
        return

    writer = AlertMessageWriter(rules, messages, environment="prod", metrics=Metrics(), on_alert=ignore)
    return Evaluator(world, world.database, rules, writer, wake_ups=WakeUps())


async def fence_of(world: World) -> Fence:
    assert world.database is not None
    async with world.database.transaction() as conn:
        epoch = await leases.take_lease(conn, name="leader", owner="me", duration=timedelta(minutes=5))
    assert epoch is not None
    return Fence("me", epoch)


async def test_history_records_the_snapshot_once_per_minute(world: World, system: System, as_bot: Connection) -> None:
    assert world.database is not None
    system.work()
    system.beat("ingest-2", ago_s=500)
    system.run("INSERT INTO ops.job_queue (job_type) VALUES ('intake_process_batch'), ('intake_process_batch')")
    watch, fence = evaluator(world), await fence_of(world)
    recorder = HistoryRecorder(world.database, lambda: watch.latest)

    await recorder.tick(fence)  # no snapshot yet, so nothing is stored
    for _ in range(2):
        await watch.tick(fence)
        await recorder.tick(fence)

    rows = await (await as_bot.execute("SELECT minute, pending, api_ms, workers FROM chatops.history")).fetchall()
    assert len(rows) in (1, 2)  # the minute may have changed in between
    assert rows[-1][1] == 2
    assert rows[-1][2] > 0
    assert rows[-1][3] == {
        "ingest-1": ["ingest_processor", WorkerState.ALIVE],
        "enforcement-1": ["enforcement_engine", WorkerState.ALIVE],
        "ingest-2": ["ingest_processor", WorkerState.STALE],
    }
    assert "Queue: min 2 jobs · max 2 jobs" in answer_text(await run("history 1h", Request(), world))
    await watch._sources.close()


async def test_history_reads_its_window_only_and_forgets_after_thirty_days(as_owner: Connection, world: World) -> None:
    await as_owner.execute(BEATS)
    until = datetime.now(UTC)
    since = until - timedelta(days=1)
    values: dict[str, object] = {"since": since, "cut": since, "until": until, "step": timedelta(hours=1)}

    for name in ("list_history", "list_worker_history", "list_usage_history", "list_deploy_moments"):
        plan = await explain(as_owner, SQL[name], values)
        assert scanned_whole(plan) == [], name
    newest = {"service": "dragonfly-api", "window": timedelta(minutes=10)}
    assert scanned_whole(await explain(as_owner, SQL["read_newest_usage"], newest)) == []

    answer = await run("history 24h", Request(), world)
    assert "*Queue:* min" in answer.text
    assert "mem api" in answer_text(answer)
    await record_history(as_owner, HistoryRecord(until - KEPT - timedelta(minutes=2), pending=1))
    await record_history(as_owner, HistoryRecord(until - KEPT + timedelta(minutes=2), pending=1))
    await prune_history(as_owner, older_than=KEPT)
    oldest = await (await as_owner.execute("SELECT min(minute) FROM chatops.history")).fetchone()
    assert oldest is not None
    assert until - KEPT <= oldest[0] + timedelta(minutes=1)


MIXED = """
INSERT INTO chatops.history (minute, pending, completed, failed, api_ms, connections, database_gb, workers, usage)
SELECT date_bin('1 minute', now(), '2000-01-01 00:00:00+00') - n * interval '1 minute', n * 7 % 101,
    CASE WHEN n % 5 <> 0 THEN n % 13 END, CASE WHEN n % 7 <> 0 THEN n % 3 END, n % 17, n % 11, n % 19,
    CASE WHEN n % 6 <> 0 THEN jsonb_build_object(
        'w' || n / 500, jsonb_build_array('ingest_processor', n % 97 % 4),
        'v', jsonb_build_array('enforcement_engine', CASE WHEN n % 997 = 0 THEN 3 ELSE 1 END)
    ) END,
    jsonb_build_object(
        'dragonfly-api', jsonb_build_object('memory_gb', n % 37, 'memory_limit_gb', NULL, 'sent_gb', n % 23)
    )
FROM generate_series(0, 4 * 1440) AS n
WHERE n NOT BETWEEN 1000 AND 1300;
"""


async def test_days_are_read_from_whole_hours_which_say_what_their_minutes_say(
    as_owner: Connection, as_bot: Connection
) -> None:
    await as_owner.execute(MIXED)
    until = (await read_clock(as_bot)).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    window = {"since": until - timedelta(days=3), "step": timedelta(hours=3), "cells": 24}
    from_minutes = await read_history(as_bot, **window)  # type: ignore[arg-type]

    summed = []
    while (hour := await sum_up_hour(as_bot, now=until)) is not None:
        summed.append(hour)
    cut = await read_summed_until(as_bot)

    assert summed == sorted(set(summed))
    assert len(summed) in range(4 * 24 - 8, 4 * 24)  # the gap has none; the current hour is not over
    assert cut is not None
    assert until - timedelta(hours=2) <= cut < until
    assert await read_history(as_bot, **window) == from_minutes  # type: ignore[arg-type]
    await as_owner.execute("DELETE FROM chatops.history WHERE minute < %s", (cut,))
    assert await read_history(as_bot, **window) == from_minutes  # type: ignore[arg-type]
    assert len(from_minutes.workers) > 40


async def test_hours_of_before_an_upgrade_are_summed_up_little_by_little(
    as_owner: Connection, as_bot: Connection, world: World, system: System
) -> None:
    await as_owner.execute(MIXED)
    system.work()
    assert world.database is not None
    watch, fence = evaluator(world), await fence_of(world)
    await watch.tick(fence)
    recorder = HistoryRecorder(world.database, lambda: watch.latest)

    counts = []
    for _ in range(6):
        await recorder.tick(fence)
        row = await (await as_bot.execute("SELECT count(*) FROM chatops.history_hours")).fetchone()
        assert row is not None
        counts.append(row[0])

    assert counts[:2] == [24, 48]
    assert counts[-1] == counts[-2] > 80
    await watch._sources.close()


DEPLOYS = """
ALTER TABLE chatops.runs DISABLE TRIGGER USER;
INSERT INTO chatops.runs (
    state, environment, playbook, parameters, plan, plan_hash, risk, title, services, reason, channel, approvals_needed,
    kinds, format, created_at, expires_at, approved_at, started_at, ended_at
)
SELECT state::chatops.run_state, 'prod', playbook, '{}', '{}', repeat('a', 64), 'high', 'x', '{dragonfly-api}', '', 'c',
    1, '{DeployCommit}', 1, now() - filed::interval, now(), now(), now() - begun::interval,
    CASE WHEN state = 'unknown' THEN NULL ELSE now() END
FROM (VALUES
    ('succeeded', 'deploy', '7 days', '10 minutes'), ('unknown', 'rollback', '40 minutes', '20 minutes'),
    ('failed', 'redeploy', '50 minutes', '50 minutes'), ('succeeded', 'deploy', '5 days', '3 hours'),
    ('succeeded', 'scale', '30 minutes', '30 minutes')
) AS seed (state, playbook, filed, begun);
ALTER TABLE chatops.runs ENABLE TRIGGER USER;
"""


async def test_a_deploy_is_marked_when_it_began_however_long_it_had_waited(as_owner: Connection) -> None:
    await as_owner.execute(DEPLOYS)
    now = datetime.now(UTC)

    found = await list_deploy_moments(as_owner, since=now - timedelta(hours=1), until=now)

    assert [round((now - moment) / timedelta(minutes=1)) for moment in found] == [50, 20, 10]


async def test_retention_may_prune_the_history(world: World) -> None:
    assert world.database is not None

    await Retention(world.database).tick(await fence_of(world))


async def test_the_first_record_of_a_minute_stays_and_unknown_is_null(as_bot: Connection) -> None:
    at = datetime.now(UTC).replace(second=0, microsecond=0)

    await record_history(as_bot, HistoryRecord(at, pending=3, usage={"dragonfly-api": Usage(memory_gb=0.2)}))
    await record_history(as_bot, HistoryRecord(at + timedelta(seconds=59), pending=9))
    await record_history(as_bot, HistoryRecord(at + timedelta(seconds=60)))

    rows = await (await as_bot.execute("SELECT pending, workers FROM chatops.history ORDER BY minute")).fetchall()
    assert [tuple(row) for row in rows] == [(3, None), (None, None)]


@pytest.mark.parametrize("line", ["history 59m", "history 31d", "history nothing", "history api ingest"])
async def test_history_refuses_what_it_does_not_understand(world: World, line: str) -> None:
    with pytest.raises(UsageError):
        await run(line, Request(), world)
