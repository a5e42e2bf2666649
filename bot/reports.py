"""Reads a report; on the leader, posts last week's once per week and reads commit times, where configured."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.config.behavior import WeeklyTime
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.types import Block
from bot.views.blocks import fit_message, section
from bot.views.reports import report_answer
from bot.views.todos import todo_blocks
from bot.wake_ups import WakeUps
from services.clients.github import GitHubClient
from services.clients.postgres import deliveries, messages, reports
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.clients.postgres.todos import list_open_todos
from services.domain.errors import SourceError
from services.domain.reports import DECISIONS_KEPT, Report
from services.domain.services import Service
from services.domain.todos import MOST, Todo

logger = logging.getLogger(__name__)

WEEK = timedelta(days=7)
LATE_AT_MOST = timedelta(hours=6)  # the bot was down: a report that comes later is no longer that morning's
EVERY_S = 300.0
CLAIMED_FOR = timedelta(seconds=30)


async def read_report(
    conn: Connection, *, environment: str, window: timedelta, zone: ZoneInfo, service: Service | None = None
) -> Report:
    """Of the window that ends now, by the database's clock."""
    until = await read_clock(conn)
    since, held_since = until - window, until - min(window, DECISIONS_KEPT)
    name = service.value if service else None
    ours = {"since": since, "until": until, "environment": environment, "service": name}
    return Report(
        since=since,
        until=until,
        service=name,
        incidents=await reports.report_incidents(conn, **ours),  # type: ignore[arg-type]
        shifts=tuple(await reports.report_shifts(conn, **ours, zone=zone.key)),  # type: ignore[arg-type]
        held_back=tuple(await reports.report_held_back(conn, since=held_since, until=until, service=name)),
        held_since=held_since,
        rules=tuple(await reports.report_rules(conn, since=since, until=until, service=name)),
        approvals=await reports.report_approvals(conn, **ours),  # type: ignore[arg-type]
        deployments=await reports.report_deployments(conn, **ours),  # type: ignore[arg-type]
        records_since=await reports.read_records_since(conn),
    )


def last_time(at: WeeklyTime, now: datetime, zone: ZoneInfo) -> datetime:
    """When the post was due last, at or before `now`."""
    local = now.astimezone(zone)
    day = local.date() - timedelta(days=(local.weekday() - at.weekday) % 7)
    due = datetime.combine(day, at.clock, tzinfo=zone)
    return due if due <= now else datetime.combine(day - WEEK, at.clock, tzinfo=zone)


class WeeklyReport(PeriodicTask):
    """Posts the last seven days into the channel; once, whichever replica leads."""

    name = "weekly report"

    def __init__(
        self,
        database: Database,
        wake_ups: WakeUps,
        *,
        channel: str,
        environment: str,
        zone: ZoneInfo,
        at: WeeklyTime,
        every_s: float = EVERY_S,
    ) -> None:
        super().__init__()
        self._database = database
        self._wake_ups = wake_ups
        self._channel = channel
        self._environment = environment
        self._zone = zone
        self._at = at
        self.interval_s = every_s

    async def tick(self, fence: Fence) -> None:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            now = await read_clock(conn)
            due = last_time(self._at, now, self._zone)
            key = f"report:{due:%G-W%V}"
            if now - due > LATE_AT_MOST or not await is_first(conn, key):
                return
            report = await read_report(conn, environment=self._environment, window=WEEK, zone=self._zone)
            answer = report_answer(report, environment=self._environment)
            todos = await list_open_todos(conn, limit=MOST)
            text, blocks = fit_message(answer.text, [*answer.blocks, *_follow_ups(todos, now)])
            await messages.store_message(conn, key=key, channel=self._channel, text=text, blocks=blocks)
        logger.info("the weekly report %s is posted", key)
        self._wake_ups.outbox.set()


def _follow_ups(todos: Sequence[Todo], now: datetime) -> list[Block]:
    return [section("*Open follow-ups*"), *todo_blocks(todos, now)] if todos else []


async def is_first(conn: Connection, key: str) -> bool:
    """Whether this was not done yet, by any replica; deliveries are kept for longer than a post is late."""
    owner = "leader"
    if not await deliveries.claim_delivery(conn, key=key, owner=owner, duration=CLAIMED_FOR):
        return False
    await deliveries.finish_delivery(conn, key=key, owner=owner)
    return True


ASKED_AT_ONCE = 10  # commits: a quarter of them is there within hours, and GitHub's limit is far away
LONGEST_WINDOW = timedelta(days=90)
UNKNOWN_AGAIN_AFTER = timedelta(days=1)  # GITHUB_REPO may have been wrong
REFUSES_ALL = frozenset({401, 403, 404, 429})  # the token, the repository or the rate limit, and no single commit


class CommitTimes(PeriodicTask):
    """Asks GitHub when deployed commits were made, each once; for the lead time. Those that GitHub does not know are
    asked for again, and one that can't be read keeps no other from being read."""

    name = "commit times"

    def __init__(self, database: Database, github: GitHubClient, *, every_s: float = EVERY_S) -> None:
        super().__init__()
        self._database = database
        self._github = github
        self.interval_s = self.retry_s = every_s

    async def tick(self, fence: Fence) -> None:
        async with self._database.read() as conn:
            since = await read_clock(conn) - LONGEST_WINDOW
            shas = await reports.list_untimed_commits(
                conn, since=since, again_after=UNKNOWN_AGAIN_AFTER, limit=ASKED_AT_ONCE
            )
        failed: SourceError | None = None
        for sha in shas:
            try:
                committed_at = await self._github.read_commit_time(sha)
            except SourceError as error:
                failed = error
                if error.http_status in REFUSES_ALL:
                    break
                continue
            async with self._database.transaction() as conn:
                await fence.lock(conn)
                await reports.record_commit(conn, sha=sha, committed_at=committed_at)
        if failed is not None:
            raise failed
