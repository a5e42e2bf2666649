"""Reads a report. On the leader, where configured: posts the weekly report and reads commit times."""

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
LATE_AT_MOST = timedelta(hours=6)  # if the bot was down longer, that week's post is skipped
EVERY_S = 300.0
CLAIMED_FOR = timedelta(seconds=30)


async def read_report(
    conn: Connection, *, environment: str, window: timedelta, zone: ZoneInfo, service: Service | None = None
) -> Report:
    """Read the report of the window that ends now, by the database's clock."""
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
    """The latest time at or before `now` at which the post was due."""
    local = now.astimezone(zone)
    day = local.date() - timedelta(days=(local.weekday() - at.weekday) % 7)
    due = datetime.combine(day, at.clock, tzinfo=zone)
    return due if due <= now else datetime.combine(day - WEEK, at.clock, tzinfo=zone)


class WeeklyReport(PeriodicTask):
    """Posts the report of the last 7 days to the channel, once per week across replicas."""

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
        logger.info("the weekly report %s was posted", key)
        self._wake_ups.outbox.set()


def _follow_ups(todos: Sequence[Todo], now: datetime) -> list[Block]:
    return [section("*Open follow-ups*"), *todo_blocks(todos, now)] if todos else []


async def is_first(conn: Connection, key: str) -> bool:
    """Claim `key` and return True; False if any replica did before. Claims are kept for longer than a post is late."""
    owner = "leader"
    if not await deliveries.claim_delivery(conn, key=key, owner=owner, duration=CLAIMED_FOR):
        return False
    await deliveries.finish_delivery(conn, key=key, owner=owner)
    return True


ASKED_AT_ONCE = 10  # commits per tick: 90 days take hours, far from GitHub's limit
LONGEST_WINDOW = timedelta(days=90)
UNKNOWN_AGAIN_AFTER = timedelta(days=1)  # retry: GITHUB_REPO may have been wrong
REFUSES_ALL = frozenset({401, 403, 404, 429})  # token, repository or rate limit, not one commit


class CommitTimes(PeriodicTask):
    """Reads the commit times of deployed commits from GitHub, each once, for the lead time. Commits that GitHub does
    not know are retried a day later; a commit that can't be read does not block the others."""

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
