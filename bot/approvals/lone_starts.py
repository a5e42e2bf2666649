"""Moves lone starts on when their time has come, on the leader: the button appears, or the countdown ends."""

from __future__ import annotations

from collections.abc import Callable

from bot.approvals import starting
from bot.approvals.case import open_case
from bot.approvals.groups import Groups
from bot.approvals.policy import Policy
from bot.leader import Fence
from bot.leading import Rounds
from bot.runs.telling import Teller
from services.domain.lone_starts import LoneStart
from services.postgres import runs
from services.postgres.clock import read_clock
from services.postgres.lone_starts import list_waiting_lone_starts
from services.postgres.pool import Database


class LoneStarts(Rounds):
    """Slack is asked who the requester is before each transaction, as at the desk.

    It sleeps until the next one is due; `ring` tells of a new one, without which it looks every `poll_s()` seconds.
    """

    name = "lone starts"

    def __init__(
        self, database: Database, policy: Policy, groups: Groups, teller: Teller, *, poll_s: Callable[[], float]
    ) -> None:
        super().__init__()
        self._database = database
        self._policy = policy
        self._groups = groups
        self._teller = teller
        self._poll_s = poll_s

    async def look(self, fence: Fence) -> float:
        async with self._database.read() as conn:
            waiting, now = await list_waiting_lone_starts(conn), await read_clock(conn)
        waits = {lone: (lone.due_at - now).total_seconds() for lone in waiting if lone.due_at is not None}
        for lone, wait_s in waits.items():
            if wait_s <= 0:
                await self._move(fence, lone)
        return min([self._poll_s(), *(wait_s for wait_s in waits.values() if wait_s > 0)])

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
