"""Expires undecided requests, and sends daily reminders of open reviews and locks; leader only.

Nothing waits for this: the database refuses to approve or start an expired run. It is for the people who read it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.runs.message import RunMessageWriter, end_calls
from services.clients.postgres import approvals, runs
from services.clients.postgres.approvals import append_audit
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.runs import Lock, Run
from services.domain.text import clock_time

ACTOR = "bot"  # in the audit log
EXPIRY_EVERY_S = 15.0  # the buttons of an expired request go within this


class Expiry(PeriodicTask):
    """`message_writer` shows what became of each."""

    name = "expiry"

    def __init__(
        self, database: Database, message_writer: RunMessageWriter, *, every_s: float = EXPIRY_EVERY_S
    ) -> None:
        super().__init__()
        self._database = database
        self._message_writer = message_writer
        self.interval_s = every_s

    async def tick(self, fence: Fence) -> None:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            expired = await runs.expire_runs(conn)
            for run_id in expired:
                head = await append_audit(conn, actor=ACTOR, event="run.expired", run_id=run_id, details={})
                await self._message_writer.write(conn, run_id, head=head)
                await end_calls(conn, run_id)
        if expired:
            self._message_writer.wake_ups.outbox.set()


NOTIFY_BEFORE = timedelta(minutes=10)


class ScheduledRuns(PeriodicTask):
    """Tells the requester, before a run starts at its time, that it can still be cancelled."""

    name = "scheduled runs"
    interval_s = 30.0

    def __init__(self, database: Database, message_writer: RunMessageWriter) -> None:
        super().__init__()
        self._database = database
        self._message_writer = message_writer

    async def tick(self, fence: Fence) -> None:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            now = await read_clock(conn)
            for run in await runs.list_open_runs(conn):
                if run.is_scheduled and run.start_at is not None and now < run.start_at <= now + NOTIFY_BEFORE:
                    await self._remind(conn, run, run.start_at)
        self._message_writer.wake_ups.outbox.set()

    async def _remind(self, conn: Connection, run: Run, start_at: datetime) -> None:
        """The name makes it one note, however often it is due."""
        words = f"starts at {clock_time(start_at)}, planned anew then. To stop it: cancel {run.id}"
        to = [run.requested_by.user_id] if run.requested_by else []
        await self._message_writer.note(conn, run, "soon", words, to=to)


REMIND_AFTER = timedelta(days=1)
EVERY_S = 60.0


class Reminders(PeriodicTask):
    """`approvers` gives the Slack ids of those who could review a run."""

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
            for run_id, count in await approvals.take_due_reviews(conn, again_after=REMIND_AFTER):
                await self._remind_of_review(conn, run_id, count)
            for lock, count in await approvals.take_due_locks(conn, again_after=REMIND_AFTER):
                await self._remind_of_lock(conn, lock, count)
        self._message_writer.wake_ups.outbox.set()

    async def _remind_of_review(self, conn: Connection, run_id: int, count: int) -> None:
        run = await runs.read_run(conn, run_id)
        if run is not None:
            words = "not reviewed yet. Use the button in the message above."
            await self._message_writer.note(conn, run, f"review:{count}", words, to=self._approvers(run))

    async def _remind_of_lock(self, conn: Connection, lock: Lock, count: int) -> None:
        """In the thread of the rollback that locked it; `health` shows every lock besides."""
        run = await runs.read_run(conn, lock.run_id) if lock.run_id else None
        if run is not None:
            short = lock.service.short
            words = f"{short} is still locked against deploys. To lift it: unlock {short} <reason>"
            to = [run.requested_by.user_id] if run.requested_by else self._approvers(run)
            await self._message_writer.note(conn, run, f"lock:{lock.service.short}:{count}", words, to=to)
