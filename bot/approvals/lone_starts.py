"""Moves lone starts on when their time has come, on the leader: the button appears, or the countdown ends."""

from __future__ import annotations

import asyncio
import logging

from bot.approvals import starting
from bot.approvals.case import open_case
from bot.approvals.groups import Groups
from bot.approvals.policy import Policy
from bot.leader import Fence
from bot.runs.telling import Teller
from services.domain.errors import OperatorError, SourceError
from services.domain.lone_starts import LoneStart
from services.postgres import runs
from services.postgres.lone_starts import list_due_lone_starts
from services.postgres.pool import Database

logger = logging.getLogger(__name__)

EVERY_S = 5.0  # a countdown of 60 s ends at most this late


class LoneStarts:
    """Slack is asked who the requester is before each transaction, as at the desk."""

    def __init__(
        self, database: Database, policy: Policy, groups: Groups, teller: Teller, *, every_s: float = EVERY_S
    ) -> None:
        self._database = database
        self._policy = policy
        self._groups = groups
        self._teller = teller
        self._every_s = every_s

    async def run(self, fence: Fence) -> None:
        """Until cancelled. Raises LostLeadershipError."""
        while True:
            try:
                await self.look(fence)
            except (SourceError, OperatorError) as error:
                logger.warning("lone starts: %s", error.why)
            await asyncio.sleep(self._every_s)

    async def look(self, fence: Fence) -> None:
        """One round. Raises SourceError, LostLeadershipError, and OperatorError when a request ended meanwhile."""
        async with self._database.read() as conn:
            due = await list_due_lone_starts(conn)
        for lone in due:
            await self._move(fence, lone)

    async def _move(self, fence: Fence, lone: LoneStart) -> None:
        async with self._database.read() as conn:
            run = await runs.read_run(conn, lone.run_id)
        if run is None or run.requested_by is None:
            return
        person = run.requested_by
        people = await self._groups.people(person.user_id)
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            case = await open_case(conn, lone.run_id, person, self._policy, people, self._teller)
            if lone.starts_at is not None and lone.starts_at <= case.now:
                await starting.end_countdown(case)
            else:
                await starting.offer(case)
        self._teller.told()
