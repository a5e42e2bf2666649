"""Whole bots as processes, killed and frozen while they send a page. A receiver may be called twice, always with the
same key, by which it rings once. One case runs in CI with short leases, all of them under `make chaos` with those of
production."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from services.clients.postgres import messages, notifications
from services.clients.postgres.pool import Connection
from services.domain.channels import Channel
from services.domain.messages import PAGE
from services.sandbox.local_environment import BOT_CONNECTIONS
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack, environment
from tests.outside import PATIENCE_S, Phone, until
from tests.wire import Line

PROMISE_S = 15.0  # the limit for another replica to take over
DATABASE_AWAY_S, SLACK_AWAY_S = 30.0, 60.0
LONG_QUIET_S = 10.0  # by then a second leader would have repeated what it repeats
SHORT = {"LEASE_S": "2", "RENEW_S": "0.4"}
BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "PAGE"}}]

Process = asyncio.subprocess.Process
Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start(slack: Slack, database_urls: DatabaseUrls, phone: Phone) -> AsyncIterator[Start]:
    """`await start(LEASE_S="2")`: a bot that is still starting. All are killed at the end."""
    processes: list[Process] = []

    async def start(dsn: str = database_urls.bot, **more: str) -> Process:
        own = environment(slack, dsn, PAGER_WEBHOOK_URL=phone.url, HEARTBEAT_STALE_AFTER_S="300", **more)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bot_process", env=dict(os.environ) | own, stderr=asyncio.subprocess.DEVNULL
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def store(conn: Connection, key: str, **changes: Any) -> None:
    given = {"means": Channel.WEBHOOK, "target": "default", "subject": "PAGE", "text": "x"} | changes
    async with conn.transaction():
        await notifications.store_notification(conn, key=key, **given)


async def until_led(conn: Connection, *, not_by: str = "", timeout_s: float = 60.0) -> str:
    """Return the name of the process that holds the lease, once one does."""
    query = "SELECT owner FROM chatops.leases WHERE name = 'leader' AND until > clock_timestamp() AND owner <> %s"
    async with asyncio.timeout(timeout_s):
        while True:
            row = await (await conn.execute(query, [not_by])).fetchone()
            if row is not None:
                return str(row[0])
            await asyncio.sleep(0.05)


async def until_sent(conn: Connection, count: int, *, timeout_s: float = 120.0) -> None:
    query = "SELECT count(*) FROM chatops.notifications WHERE state = 'sent'"
    async with asyncio.timeout(timeout_s):
        while (await (await conn.execute(query)).fetchone()) != (count,):
            await asyncio.sleep(0.05)


def keys(phone: Phone) -> list[str]:
    return [ring.headers["Idempotency-Key"] for ring in phone.rings]


async def a_leader_and_another(start: Start, conn: Connection, slack: Slack, **more: str) -> Process:
    """Start two bots; return the leader."""
    leader = await start(**more)
    await until_led(conn)
    await start(**more)
    await until_both_work(slack)
    return leader


async def until_both_work(slack: Slack) -> None:
    """Wait until both are connected: the test measures the takeover, not how fast Python starts on a busy machine."""
    await until(lambda: slack.workspace.sockets.count >= 2 * BOT_CONNECTIONS)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("lease", "promise_s"),
    [
        pytest.param(SHORT, PATIENCE_S, id="short lease"),  # its time says nothing while other tests run
        pytest.param({}, PROMISE_S, id="lease of production", marks=pytest.mark.chaos),
    ],
)
async def test_leader_killed_in_the_middle_of_a_call(
    start: Start, as_bot: Connection, phone: Phone, slack: Slack, lease: dict[str, str], promise_s: float
) -> None:
    leader = await a_leader_and_another(start, as_bot, slack, **lease)
    phone.answers.append(3600.0)
    await store(as_bot, "incident:1:1")
    await phone.wait_for()
    leader.kill()
    killed_at = time.monotonic()

    await phone.wait_for(2)
    took_s = time.monotonic() - killed_at
    await until_sent(as_bot, 1)

    assert len(set(keys(phone))) == 1
    assert took_s < promise_s
    print_outcome("killed in the middle of a call", took_s)


@pytest.mark.chaos
@pytest.mark.timeout(180)
async def test_leader_killed_between_storing_and_sending(
    start: Start, as_bot: Connection, phone: Phone, slack: Slack
) -> None:
    leader = await a_leader_and_another(start, as_bot, slack)
    leader.kill()
    await leader.wait()
    await store(as_bot, "incident:1:1")
    stored_at = time.monotonic()

    await phone.wait_for()
    took_s = time.monotonic() - stored_at
    await until_sent(as_bot, 1)

    assert len(keys(phone)) == 1
    assert took_s < PROMISE_S
    print_outcome("killed between storing and sending", took_s)


@pytest.mark.chaos
@pytest.mark.timeout(180)
async def test_leader_frozen_before_a_call_sends_nothing_when_it_wakes_up(
    start: Start, as_bot: Connection, phone: Phone, slack: Slack, database_urls: DatabaseUrls
) -> None:
    async with Line(database_urls.bot).serve() as line:
        leader = await start(line.dsn)
        owner = await until_led(as_bot)
        await start()
        await until_both_work(slack)
        locked = line.hold(b"webhook", "after")  # the channel whose due notifications it locks
        await store(as_bot, "incident:1:1")
        await locked.reached.wait()
        leader.send_signal(signal.SIGSTOP)
        frozen_at = time.monotonic()

        await phone.wait_for()
        took_s = time.monotonic() - frozen_at
        assert await until_led(as_bot, not_by=owner)
        await until_sent(as_bot, 1)
        locked.release()
        leader.send_signal(signal.SIGCONT)
        await asyncio.sleep(LONG_QUIET_S)

        assert len(keys(phone)) == 1
        assert took_s < PROMISE_S
        print_outcome("frozen before a call", took_s)


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_leaders_killed_one_after_the_other_lose_nothing(start: Start, as_bot: Connection, phone: Phone) -> None:
    """200 pages by three replicas, of which two are killed while they send."""
    alive = [await start(**SHORT)]
    await until_led(as_bot)
    alive += [await start(**SHORT), await start(**SHORT)]
    phone.answers.extend([0.3] * 400)
    for number in range(200):
        await store(as_bot, f"incident:{number}:1")
        if number in (50, 120):
            await phone.wait_for(number // 2)
            alive.pop(0).kill()  # the first is the leader; either of the others may be the next
    await until_sent(as_bot, 200)

    assert len(set(keys(phone))) == 200
    assert len(keys(phone)) <= 240, "more than the pages in flight were sent twice"
    print_outcome(f"200 pages, two leaders killed: {len(keys(phone)) - 200} called twice", 0.0)


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_half_a_minute_without_postgres_loses_nothing(
    start: Start, as_bot: Connection, phone: Phone, database_urls: DatabaseUrls
) -> None:
    async with Line(database_urls.bot).serve() as line:
        await start(line.dsn)
        await until_led(as_bot)
        phone.answers.append(1.0)
        await store(as_bot, "incident:1:1")
        await phone.wait_for()
        line.cut()
        for number in range(2, 12):
            await store(as_bot, f"incident:{number}:1")
        await asyncio.sleep(DATABASE_AWAY_S)
        line.mend()
        back_at = time.monotonic()

        await until_sent(as_bot, 11)

        assert len(set(keys(phone))) == 11
        assert len(keys(phone)) <= 12, "more than the one page in flight was sent twice"
        print_outcome("30 s without Postgres", time.monotonic() - back_at)


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_a_minute_of_errors_from_slack_loses_and_doubles_nothing(
    start: Start, as_bot: Connection, phone: Phone, slack: Slack
) -> None:
    await start()
    await until_led(as_bot)
    slack.workspace.faults.is_down = True
    texts = [f"PAGE {number}" for number in range(5)]
    for number, text in enumerate(texts):
        async with as_bot.transaction():
            await messages.store_message(
                as_bot, key=f"m{number}", channel="dragonfly-incidents", text=text, blocks=BLOCKS, priority=PAGE
            )
            await notifications.store_notification(
                as_bot, key=f"m{number}:1", means=Channel.WEBHOOK, target="default", subject=text, text=text
            )
    await phone.wait_for(len(texts))
    await asyncio.sleep(SLACK_AWAY_S)
    slack.workspace.faults.is_down = False
    back_at = time.monotonic()

    def seen() -> list[str]:
        return sorted(message.text for message in slack.seen() if message.text in texts)

    await until(lambda: len(seen()) >= len(texts), timeout_s=60)
    took_s = time.monotonic() - back_at
    await asyncio.sleep(LONG_QUIET_S)

    assert seen() == texts
    assert len(keys(phone)) == len(texts), "phones do not wait for Slack"
    print_outcome("60 s of errors from Slack, five pages", took_s)


def print_outcome(case: str, took_s: float) -> None:
    """Print the figure for docs/reliability.md; `make chaos` shows it."""
    sys.stdout.write(f"\nnotifications: {case}: {took_s:.1f} s\n")
