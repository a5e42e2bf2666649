"""Posts a short handover note in the channel when a shift begins; leader only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.leader import Fence
from bot.oncall.handover_lines import MOMENT, note_key
from bot.periodic_tasks import PeriodicTask
from bot.reports import WEEK, is_first
from bot.views import handover as view
from bot.wake_ups import WakeUps
from services.clients.postgres import alerts, freezes, incidents, messages, oncall, reports, runs
from services.clients.postgres.freezes import list_locks
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.oncall import Override, Schedule, zone_of
from services.domain.shifts import FURTHEST, Shift, shifts

LATE_AT_MOST = timedelta(minutes=30)  # after the bot was down; a later note would be old news
RUNS = 20


class HandoverNotes(PeriodicTask):
    """Posts one note per shift of each rotation that a level pages. `schedule` returns the one in force."""

    name = "handover notes"
    interval_s = 60.0

    def __init__(
        self,
        database: Database,
        schedule: Callable[[], Schedule | None],
        wake_ups: WakeUps,
        *,
        channel: str,
        environment: str,
    ) -> None:
        super().__init__()
        self._database = database
        self._schedule = schedule
        self._wake_ups = wake_ups
        self._channel = channel
        self._environment = environment

    async def tick(self, fence: Fence) -> None:
        schedule = self._schedule()
        if schedule is None:
            return
        async with self._database.transaction() as conn:
            now, is_written = await fence.lock(conn), False
            known = await oncall.list_overrides_since(conn, since=now - LATE_AT_MOST - FURTHEST)
            for rotation in dict.fromkeys(call for level in schedule.levels for call in level.calls):
                found = shifts(schedule, rotation, now - LATE_AT_MOST, now + MOMENT, known)
                if len(found) > 1 and await is_first(conn, note_key(found[-1])):
                    await self._write(conn, schedule, found[-2], found[-1], known)
                    is_written = True
        if is_written:
            self._wake_ups.outbox.set()

    async def _write(
        self, conn: Connection, schedule: Schedule, before: Shift, shift: Shift, known: Sequence[Override]
    ) -> None:
        now = await read_clock(conn)
        since = _began(schedule, before, known)
        pages = await reports.report_shifts(
            conn,
            since=now - WEEK,
            until=now,
            environment=self._environment,
            service=None,
            zone=zone_of(schedule).key,
        )
        facts = view.Handover(
            shift=shift,
            before=before.person,
            incidents=await incidents.list_open_incidents(conn),
            silences=await alerts.list_silences(conn),
            locks=await list_locks(conn),
            freezes=await freezes.list_freezes(conn),
            runs=[run for run in await runs.list_runs(conn, limit=RUNS) if run.ended_at and run.ended_at >= since],
            pages=pages,
            now=now,
        )
        text, blocks = view.handover_message(facts)
        await messages.store_message(conn, key=note_key(shift), channel=self._channel, text=text, blocks=blocks)


def _began(schedule: Schedule, shift: Shift, known: Sequence[Override]) -> datetime:
    """Return the real beginning of a shift that was read from its middle on."""
    return shifts(schedule, shift.rotation, shift.ends - FURTHEST, shift.ends, known)[-1].begins
