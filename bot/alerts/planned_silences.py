"""Begins planned silences at their times, and reminds their owners 1 h before; leader only."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views import silences as view
from bot.wake_ups import WakeUps
from services.clients.postgres import alerts, messages
from services.clients.postgres.listen import notify_refresh
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.alerts import PlannedSilence
from services.process import describe_error

logger = logging.getLogger(__name__)

EVERY_S = 60.0
REMIND_BEFORE = timedelta(hours=1)
SHORTEST_S = 0.05


class PlannedSilences(PeriodicTask):
    """Creates an ordinary silence for each window, which the evaluator applies, and moves the planned one to its next
    window."""

    name = "planned silences"

    def __init__(self, database: Database, wake_ups: WakeUps, *, channel: str, every_s: float = EVERY_S) -> None:
        super().__init__(wake_ups.refresh)  # a new window may begin before the next tick
        self._database = database
        self._wake_ups = wake_ups
        self._channel = channel
        self._every_s = every_s

    async def tick(self, fence: Fence) -> float:
        async with self._database.read() as conn:
            known = await alerts.list_planned_silences(conn)
            if not known:
                return self._every_s
            now = await read_clock(conn)
        if any(_is_due(one, now) for one in known):
            await self._follow_due(fence)
        later = [wait for one in known if (wait := (one.begins_at - now).total_seconds()) > 0]
        return max(min([self._every_s, *later]), SHORTEST_S)

    async def _follow_due(self, fence: Fence) -> None:
        async with self._database.transaction() as conn:
            now = await fence.lock(conn)
            for planned in await alerts.list_planned_silences(conn):
                if _is_due(planned, now):
                    await self._follow_alone(conn, planned, now)
        self._wake_ups.outbox.set()

    async def _follow_alone(self, conn: Connection, planned: PlannedSilence, now: datetime) -> None:
        """Follow one planned silence; if that fails, only its changes are rolled back, and the next tick retries."""
        try:
            async with conn.transaction():
                await self._follow(conn, planned, now)
        except Exception as error:
            logger.error("planned silence %d was left as it is: %s", planned.id, describe_error(error))  # noqa: TRY400

    async def _follow(self, conn: Connection, planned: PlannedSilence, now: datetime) -> None:
        if planned.begins_at <= now:
            await self._begin(conn, planned, now)
            return
        await alerts.remind_of_planned_silence(conn, id=planned.id)
        key = f"silence:planned:{planned.id}:{planned.begins_at:%Y%m%dT%H%M}:soon"
        await messages.store_content(conn, key, planned.owner, view.soon_message(planned, now))

    async def _begin(self, conn: Connection, planned: PlannedSilence, now: datetime) -> None:
        """Silence the rest of the window; a window that passed without a leader is skipped."""
        if planned.ends_at > now and not planned.is_kept:
            made = await alerts.create_silence(
                conn,
                what=planned.what,
                owner=planned.owner,
                reason=planned.reason,
                lasts=planned.ends_at - now,
                in_advance=True,
            )
            await notify_refresh(conn)
            await messages.store_content(
                conn, f"silence:{made.id}:begun", self._channel, view.begun_message(planned, made.id)
            )
        if planned.is_unreadable:
            await alerts.keep_planned_silence(conn, id=planned.id)
            key = f"silence:planned:{planned.id}:{planned.begins_at:%Y%m%dT%H%M}:unreadable"
            await messages.store_content(conn, key, self._channel, view.unreadable_message(planned))
            return
        if planned.recurrence is None:
            await alerts.end_planned_silence(conn, id=planned.id)
            return
        following = planned.recurrence.next_after(max(now, planned.begins_at))
        await alerts.move_planned_silence(conn, id=planned.id, begins_at=following.begins, ends_at=following.ends)


def _is_due(planned: PlannedSilence, now: datetime) -> bool:
    """True if it begins, or its owner has to be reminded."""
    if planned.is_unreadable and planned.is_kept:
        return False
    return planned.begins_at <= now or (
        planned.begins_at - now <= REMIND_BEFORE and planned.reminded_for != planned.begins_at
    )
