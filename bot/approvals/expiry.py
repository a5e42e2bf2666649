"""Ends requests that nobody decided on in time, and says so, on the leader.

Nothing waits for this: the database lets nobody approve or start what has expired. It is for the people who look.
"""

from __future__ import annotations

from bot.approvals.calling import end_calls
from bot.leader import Fence
from bot.leading import Rounds
from bot.runs.telling import Teller
from services.postgres import runs
from services.postgres.audit import append_audit
from services.postgres.pool import Database

ACTOR = "bot"  # in the audit log
EVERY_S = 15.0  # the buttons of an expired request go within this


class Expiry(Rounds):
    """`teller` shows what became of each."""

    name = "expiry"

    def __init__(self, database: Database, teller: Teller, *, every_s: float = EVERY_S) -> None:
        super().__init__()
        self._database = database
        self._teller = teller
        self._every_s = every_s

    async def look(self, fence: Fence) -> float:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            expired = await runs.expire_runs(conn)
            for run_id in expired:
                head = await append_audit(conn, actor=ACTOR, event="run.expired", run_id=run_id, details={})
                await self._teller.tell(conn, run_id, head=head)
                await end_calls(conn, run_id)
        if expired:
            self._teller.told()
        return self._every_s
