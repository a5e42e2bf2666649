"""Expires undecided requests, and sends daily reminders of open reviews and locks; leader only.

No check relies on this: the database refuses to approve or start an expired run. It keeps the messages true.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.approvals.rules import is_known
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.runs.message import RunMessageWriter, end_approver_pages
from services.clients.postgres import approvals, runs
from services.clients.postgres.audit import append_audit
from services.clients.postgres.freezes import take_due_locks
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.freezes import Lock
from services.domain.runs import Run
from services.domain.text import clock_time

ACTOR = "bot"  # in the audit log
EXPIRY_EVERY_S = 15.0  # the buttons of an expired request disappear within this, even if a wake-up was missed
BEING_DECIDED_S = 1.0


class Expiry(PeriodicTask):
    """Expires requests. `message_writer` updates the message of each."""

    name = "expiry"

    def __init__(
        self, database: Database, message_writer: RunMessageWriter, *, every_s: float = EXPIRY_EVERY_S
    ) -> None:
        super().__init__(message_writer.wake_ups.runs)
        self._database = database
        self._message_writer = message_writer
        self._every_s = every_s

    async def tick(self, fence: Fence) -> float:
        """Expire what is due; return the seconds until the next request expires, as far as that is known."""
        async with self._database.read() as conn:
            wait_s = await runs.read_expiry_wait(conn)
        if wait_s != 0.0:
            return self._every_s if wait_s is None else min(wait_s, self._every_s)
        # A request on which a person decides at this moment is skipped.
        return 0.0 if await self._expire(fence) else min(BEING_DECIDED_S, self._every_s)

    async def _expire(self, fence: Fence) -> bool:
        """Expire due requests; True if there were any."""
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            expired = await runs.expire_runs(conn)
            for run_id in expired:
                head = await append_audit(conn, actor=ACTOR, event="run.expired", run_id=run_id, details={})
                await self._message_writer.write(conn, run_id, head=head)
                await end_approver_pages(conn, run_id)
        if expired:
            self._message_writer.wake_ups.outbox.set()
        return bool(expired)


NOTIFY_BEFORE = timedelta(minutes=10)


class ScheduledRuns(PeriodicTask):
    """Reminds the requester, before a scheduled run starts, that it can still be cancelled. `approvers` as in
    `Reminders`."""

    name = "scheduled runs"
    interval_s = 30.0

    def __init__(
        self, database: Database, message_writer: RunMessageWriter, *, approvers: Callable[[Run], Sequence[str]]
    ) -> None:
        super().__init__()
        self._database = database
        self._message_writer = message_writer
        self._approvers = approvers

    async def tick(self, fence: Fence) -> None:
        async with self._database.read() as conn:
            if not await _list_due(conn):
                return
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            for run, start_at in await _list_due(conn):
                await self._remind(conn, run, start_at)
        self._message_writer.wake_ups.outbox.set()

    async def _remind(self, conn: Connection, run: Run, start_at: datetime) -> None:
        """Note it in the run's thread once: repeated notes with the same name count as one."""
        at = clock_time(start_at)
        words = f"Run {run.id} starts at {at} with a fresh plan: {run.title}. To stop it: cancel {run.id}"
        await self._message_writer.note(conn, run, "soon", words, to=_requester_or(self._approvers, run))


async def _list_due(conn: Connection) -> list[tuple[Run, datetime]]:
    """List the scheduled runs that start soon, each with its start."""
    scheduled = [(run, run.start_at) for run in await runs.list_open_runs(conn) if run.is_scheduled and run.start_at]
    if not scheduled:
        return []
    now = await read_clock(conn)
    return [(run, start_at) for run, start_at in scheduled if now < start_at <= now + NOTIFY_BEFORE]


REMIND_AFTER = timedelta(days=1)
EVERY_S = 300.0  # a reminder is due once per day


class Reminders(PeriodicTask):
    """Daily reminders. `approvers` returns the Slack ids of those who could review a run."""

    name = "reminders"

    def __init__(
        self,
        database: Database,
        message_writer: RunMessageWriter,
        *,
        approvers: Callable[[Run], Sequence[str]],
        every_s: float = EVERY_S,
    ) -> None:
        super().__init__()
        self._database = database
        self._message_writer = message_writer
        self._approvers = approvers
        self.interval_s = every_s

    async def tick(self, fence: Fence) -> None:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            reviews = await approvals.take_due_reviews(conn, again_after=REMIND_AFTER)
            for run_id, count in reviews:
                await self._remind_of_review(conn, run_id, count)
            locks = await take_due_locks(conn, again_after=REMIND_AFTER)
            for lock, count in locks:
                await self._remind_of_lock(conn, lock, count)
        if reviews or locks:
            self._message_writer.wake_ups.outbox.set()

    async def _remind_of_review(self, conn: Connection, run_id: int, count: int) -> None:
        run = await runs.read_run(conn, run_id)
        if run is not None:
            words = f"Run {run.id} is not reviewed yet: {run.title}. Use the button in the message above."
            await self._message_writer.note(conn, run, f"review:{count}", words, to=self._approvers(run))

    async def _remind_of_lock(self, conn: Connection, lock: Lock, count: int) -> None:
        """Remind in the thread of the rollback that set the lock; `health` shows every lock too."""
        run = await runs.read_run(conn, lock.run_id) if lock.run_id else None
        if run is not None:
            short = lock.service.short
            words = f"{short} is still locked against deploys. To lift it: unlock {short} <reason>"
            to = _requester_or(self._approvers, run)
            await self._message_writer.note(conn, run, f"lock:{lock.service.short}:{count}", words, to=to)


def _requester_or(approvers: Callable[[Run], Sequence[str]], run: Run) -> Sequence[str]:
    """The requester; the approvers if a terminal or a machine requested the run, because neither reads messages."""
    who = run.requested_by
    return [who.user_id] if who is not None and is_known(who) else approvers(run)
