"""How steps and runs end: journal, audit log and message in one transaction."""

from __future__ import annotations

import logging

from bot.facts import World
from bot.runs.beginning import ACTOR
from bot.runs.decide import outcome_words, standing_words
from bot.runs.journal import Journal, LostRunError
from bot.runs.telling import Teller
from bot.runs.turn import Outcome
from services.domain.runs import Run, RunState, RunStep
from services.domain.services import Service
from services.postgres import runs
from services.postgres.audit import append_audit
from services.postgres.pool import Connection
from services.process.log import describe_error

logger = logging.getLogger(__name__)


class Ending:
    """All raise LostRunError when the run is not ours any more, and the database's SourceError."""

    def __init__(self, world: World, journal: Journal, teller: Teller) -> None:
        self._world = world
        self._journal = journal
        self._teller = teller

    async def finish(self, conn: Connection, run: Run, row: RunStep, outcome: Outcome) -> None:
        """Write down how a step ended, in the caller's transaction under the lease."""
        await self._journal.start(conn, row.position)  # an act that was not sent is pending until here
        await self._journal.finish(conn, row.position, outcome.state, outcome.evidence, outcome.note)
        details = {"step": dict(row.step), "state": outcome.state.value, "note": outcome.note}
        await append_audit(conn, actor=ACTOR, event="run.step", run_id=run.id, details=details)
        await self._teller.tell(conn, run.id)

    async def close(self, run: Run, steps: list[RunStep], state: RunState) -> None:
        """End the run, or stop it for a person, and say how the system was left."""
        standing = ""
        if state is not RunState.SUCCEEDED:
            states = await self._world.railway_services()
            standing = standing_words([Service(name) for name in run.services], states)
        who = run.cancel_requested_by
        await self._end(
            run, state, outcome_words(state, steps, cancelled_by=who.user_id if who else None, standing=standing)
        )

    async def give_up(self, run: Run, error: Exception) -> None:
        """A bug ends the run, or each replica would begin with it again for ever."""
        logger.error("run %d: %s", run.id, describe_error(error))
        state = RunState.VOIDED if run.state is RunState.APPROVED else RunState.FAILED
        await self._end(run, state, f"The bot itself failed ({type(error).__name__}); its log says where.")

    async def _end(self, run: Run, state: RunState, outcome: str) -> None:
        async with self._journal.writing() as conn:
            open_ = [RunState.APPROVED, RunState.RUNNING]
            if not await runs.move_run(conn, run_id=run.id, from_=open_, to=state, outcome=outcome):
                raise LostRunError
            details = {"outcome": outcome}
            head = await append_audit(conn, actor=ACTOR, event=f"run.{state.value}", run_id=run.id, details=details)
            await self._teller.tell(conn, run.id, head=head)
        self._teller.told()
