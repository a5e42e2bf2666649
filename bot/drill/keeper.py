"""Follows the drill that is under way, ends it, tells what came of it, and cleans up after it; on the leader only."""

from __future__ import annotations

import logging
from collections.abc import Callable

from bot.drill.course import read_course
from bot.drill.decide import outcome, report
from bot.incidents import acting
from bot.incidents.switchboard import Switchboard
from bot.leader import Fence
from bot.leading import Rounds
from bot.views.drill import report_message
from services.domain.drills import MARK
from services.domain.incidents import IncidentState
from services.postgres import drills
from services.postgres.hints import notify_hint
from services.postgres.pool import Connection, Database

logger = logging.getLogger(__name__)

LOOK_S = 1.0  # while one is under way
TIMEOUT_S = 15.0  # a call that is being sent is waited for


class DrillKeeper(Rounds):
    """`ring` wakes it when a drill may have begun."""

    name = "drill"

    def __init__(self, database: Database, board: Switchboard, *, poll_s: Callable[[], float]) -> None:
        super().__init__()
        self._database = database
        self._board = board
        self._poll_s = poll_s

    async def look(self, fence: Fence) -> float:
        """Seconds until the next look. Raises SourceError when the database is away."""
        async with self._database.read() as conn:
            if await drills.read_open_drill(conn) is None:
                return self._poll_s()
        async with self._database.transaction(timeout_s=TIMEOUT_S) as conn:
            await fence.lock(conn)
            ended = await self._end_if_over(conn)
        if ended:
            self._board.told()
        return LOOK_S

    async def _end_if_over(self, conn: Connection) -> bool:
        drill = await drills.read_open_drill(conn)
        if drill is None:
            return False
        course, incident = await read_course(conn, drill)
        ended = outcome(course)
        if ended is None:
            return False
        found = report(course, ended)
        await drills.end_drill(conn, id=drill.id, report=found)
        await notify_hint(conn)  # the watch sees that the made-up worker is no longer missed
        logger.info("drill %d: %s", drill.id, ended)
        if incident is not None:
            incident = await acting.find(conn, incident.id)
            await self._board.say(conn, incident, f"{incident.message_key}:drill", report_message(drill, found))
            if incident.state is not IncidentState.RESOLVED:
                await acting.resolve(self._board, conn, incident, drill.asked_by, f"{MARK} {drill.id}: {ended}")
        return True
