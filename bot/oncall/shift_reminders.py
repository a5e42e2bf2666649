"""Reminds people whose shifts were changed, a day and an hour before; leader only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views.overrides import reminder_message
from bot.wake_ups import WakeUps
from services.clients.postgres import messages, oncall, oncall_changes
from services.clients.postgres.pool import Connection, Database
from services.domain.oncall import OnCallPerson, Schedule, holder
from services.domain.shifts import ShiftReminder

AT_ONCE = 50


class ShiftReminders(PeriodicTask):
    """Sends due reminders, unless a later change took the move back. `schedule` returns the one in force."""

    name = "shift reminders"
    interval_s = 60.0

    def __init__(self, database: Database, schedule: Callable[[], Schedule | None], wake_ups: WakeUps) -> None:
        super().__init__()
        self._database = database
        self._schedule = schedule
        self._wake_ups = wake_ups

    async def tick(self, fence: Fence) -> None:
        async with self._database.transaction() as conn:
            now = await fence.lock(conn)
            due = await oncall_changes.take_due_oncall_reminders(conn, limit=AT_ONCE)
            for reminder in due:
                await self._remind(conn, reminder, now)
        if due:
            self._wake_ups.outbox.set()

    async def _remind(self, conn: Connection, reminder: ShiftReminder, now: datetime) -> None:
        on_call = await self._on_call(conn, reminder)
        is_theirs = on_call is not None and on_call.slack == reminder.user_id
        if is_theirs is not reminder.gains:
            return
        text, blocks = reminder_message(reminder, on_call, now=now)
        hours = round((reminder.begins_at - now).total_seconds() / 3600)
        key = f"oncall:reminder:{reminder.rotation}:{reminder.user_id}:{reminder.begins_at:%Y%m%dT%H%M}:{hours}"
        await messages.store_message(conn, key=key, channel=reminder.user_id, text=text, blocks=blocks)

    async def _on_call(self, conn: Connection, reminder: ShiftReminder) -> OnCallPerson | None:
        """Return the person on call at the reminder's time, by the present schedule."""
        schedule = self._schedule()
        known = await oncall.list_overrides(conn)
        return holder(schedule, reminder.rotation, reminder.begins_at, known) if schedule else None
