"""A silent worker is one message within seconds, and the same message shows when it is over."""

from __future__ import annotations

import re

import psycopg

from services.domain.services import Service
from services.sandbox.slack.model import Message
from tests.conftest import DatabaseUrls
from tests.integration.bot.conftest import Outside, System
from tests.integration.bot.running.conftest import QUICK_BEATS, STALE_AFTER_S, Slack, StartBot
from tests.integration.bot.running.crew import Crew
from tests.outside import until


def _key(message: Message) -> str:
    return str((message.metadata or {}).get("event_payload", {}).get("key"))


def _reported(slack: Slack) -> list[Message]:
    """Return the root messages of the incidents that alerts opened; the alerts have no other message in the channel."""
    assert not [message for message in slack.seen() if re.fullmatch(r"alert:\d+", _key(message))]
    return [message for message in slack.seen() if _is_root(message)]


def _is_root(message: Message) -> bool:
    return re.fullmatch(r"incident:\d+", _key(message)) is not None


def _is_page(message: Message) -> bool:
    return _is_root(message) and message.text.startswith("🔴")


def _is_resolved(message: Message) -> bool:
    return _is_root(message) and "CLEARED" in message.text


async def _no_one_is_notified(slack: Slack, system: System, seconds: float) -> None:
    await system.evaluated(after_s=seconds)
    assert not slack.seen()


async def test_two_bots_report_once(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls, crew: Crew, system: System
) -> None:
    worker = crew.hire("ingest-1")
    for _ in range(2):
        await start_bot(database_urls.bot, **QUICK_BEATS)
    await system.evaluated()

    worker.kill()
    page = await slack.wait_for(_is_page)
    await system.evaluated(after_s=0)

    assert "ingest is down (0 of 1)" in page.text
    assert len(_reported(slack)) == 1


async def test_problem_that_comes_back_goes_on_in_the_same_message(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls, crew: Crew, system: System
) -> None:
    worker = crew.hire("ingest-1")
    await start_bot(database_urls.bot, **QUICK_BEATS)
    await system.evaluated()
    worker.kill()
    await slack.wait_for(_is_page)
    second = crew.hire("ingest-2")
    await slack.wait_for(_is_resolved)

    second.kill()
    back = await slack.wait_for(lambda message: "firing again" in message.text)
    await slack.wait_for(_is_page)

    [page] = _reported(slack)
    assert _is_page(page)
    assert back.thread_ts == page.ts


async def test_orderly_stop_and_scale_down_alert_no_one(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls, crew: Crew, outside: Outside, system: System
) -> None:
    outside.replicas[Service.INGEST] = 2
    first, _ = crew.hire("ingest-1"), crew.hire("ingest-2")
    await start_bot(database_urls.bot, **QUICK_BEATS)
    await system.evaluated()

    first.stop()
    outside.replicas[Service.INGEST] = 1

    await _no_one_is_notified(slack, system, STALE_AFTER_S / 2)


async def test_replaced_worker_alerts_no_one(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls, crew: Crew, system: System
) -> None:
    worker = crew.hire("ingest-1")
    await start_bot(database_urls.bot, **QUICK_BEATS)
    await system.evaluated()

    crew.hire("ingest-2")
    worker.kill()

    await _no_one_is_notified(slack, system, STALE_AFTER_S + 1)


async def test_worker_that_never_comes_is_reported(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls
) -> None:
    await start_bot(database_urls.bot, **QUICK_BEATS)

    page = await slack.wait_for(_is_page)

    assert "ingest is down (0 of 1)" in page.text


async def test_successor_reports_when_the_leader_dies(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls, crew: Crew, system: System
) -> None:
    worker = crew.hire("ingest-1")
    first = await start_bot(database_urls.bot, **QUICK_BEATS)
    await start_bot(database_urls.bot, **QUICK_BEATS)
    await system.evaluated()

    worker.kill()
    await first.stop()

    await slack.wait_for(_is_page)
    await system.evaluated(after_s=0)
    assert len(_reported(slack)) == 1


async def test_railway_being_silent_delays_no_page(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls, crew: Crew, outside: Outside, system: System
) -> None:
    worker = crew.hire("ingest-1")
    await start_bot(database_urls.bot, source_timeout_s=3600.0, **QUICK_BEATS)
    await system.evaluated()
    outside.railway_delay_s = 3600.0

    worker.kill()

    await slack.wait_for(_is_page)


async def test_an_idle_bot_keeps_at_most_five_sessions(
    start_bot: StartBot, database_urls: DatabaseUrls, crew: Crew
) -> None:
    crew.hire("ingest-1")
    wiring = (await start_bot(database_urls.bot, **QUICK_BEATS)).wiring
    assert wiring is not None
    await until(lambda: wiring._listener.works)  # it proved it with its own session

    async with await psycopg.AsyncConnection.connect(database_urls.superuser, autocommit=True) as conn:
        found = await conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'dragonfly_bot' AND datname = current_database()"
        )
        row = await found.fetchone()

    assert row is not None
    assert row[0] <= 5
