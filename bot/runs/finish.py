"""Ends steps and runs: journal, audit log and message in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from bot.runs.act import Outcome
from bot.runs.decide import FallBack
from bot.runs.journal import Journal, LostRunError
from bot.runs.message import RunMessageWriter
from bot.runs.start import ACTOR
from bot.views.run_outcome import outcome_words, sample_words, schema_words, standing_words
from bot.world import World
from playbooks.steps import ApplySqlFile
from playbooks.stored_steps import encode_step, kind_of
from services.clients.postgres import runs
from services.clients.postgres.audit import append_audit
from services.clients.postgres.pool import Connection
from services.domain.runs import Run, RunState, RunStep, StepState, note_words
from services.domain.services import Service
from services.process import describe_error

logger = logging.getLogger(__name__)


class RunFinish:
    """Ends a run's steps and the run. All methods raise LostRunError if this replica has lost the run, and SourceError
    for the database."""

    def __init__(self, world: World, journal: Journal, message_writer: RunMessageWriter) -> None:
        self._world = world
        self._journal = journal
        self._message_writer = message_writer

    async def finish(self, conn: Connection, run: Run, row: RunStep, outcome: Outcome) -> None:
        """Record a step's outcome, in the caller's transaction under the lease."""
        await self._journal.start(conn, row.position)  # an act that was not sent is pending until here
        await self._journal.finish(conn, row.position, outcome.state, outcome.evidence, outcome.note)
        details = {"step": dict(row.step), "state": outcome.state.value, "note": outcome.note}
        await append_audit(conn, actor=ACTOR, event="run.step", run_id=run.id, details=details)
        await self._message_writer.write(conn, run.id)

    async def fall_back(self, run: Run, steps: Sequence[RunStep], move: FallBack) -> None:
        """Skip the remaining planned steps, and add the fallback's steps."""
        rest = [step.position for step in steps if step.state is StepState.PENDING]
        async with self._journal.writing() as conn:
            for position in rest:
                await self._journal.finish(conn, position, StepState.SKIPPED, {}, "")
            added = [encode_step(step) for step in move.steps]
            await runs.create_steps(conn, run_id=run.id, steps=added, first=len(steps))
            await append_audit(conn, actor=ACTOR, event="run.fell_back", run_id=run.id, details={"steps": added})
            await self._message_writer.write(conn, run.id)
        self._message_writer.wake_ups.outbox.set()

    async def close(self, run: Run, steps: Sequence[RunStep], state: RunState) -> None:
        """End the run, or stop it for a person, and report the state in which it left the system."""
        standing = "" if state is RunState.SUCCEEDED else await self._standing(run, steps)
        who = run.cancel_requested_by
        name_of = self._world.name_of
        words = outcome_words(
            state,
            steps,
            planned=len(run.plan["steps"]),
            cancelled_by=name_of(who.user_id) if who else None,
            standing=standing,
        )
        await self._end(run, state, note_words(words, name_of))

    async def give_up(self, run: Run, error: Exception) -> None:
        """End the run because of a bug: otherwise each replica would start it again forever."""
        logger.error("run %d: %s", run.id, describe_error(error))
        state = RunState.VOIDED if run.state is RunState.APPROVED else RunState.FAILED
        await self._end(run, state, f"The bot itself failed ({type(error).__name__}); its log says where.")

    async def _standing(self, run: Run, steps: Sequence[RunStep]) -> str:
        services = standing_words([Service(name) for name in run.services], await self._world.railway_services())
        schema = any(kind_of(step.step) is ApplySqlFile for step in steps)
        words = [services, schema_words(await self._world.migrations()) if schema else "", sample_words(steps)]
        return " ".join(filter(None, words))

    async def _end(self, run: Run, state: RunState, outcome: str) -> None:
        async with self._journal.writing() as conn:
            open_ = [RunState.APPROVED, RunState.RUNNING]
            if not await runs.transition_run(conn, run_id=run.id, from_=open_, to=state, outcome=outcome):
                raise LostRunError
            details = {"outcome": outcome}
            head = await append_audit(conn, actor=ACTOR, event=f"run.{state.value}", run_id=run.id, details=details)
            await self._message_writer.write(conn, run.id, head=head)
        self._message_writer.wake_ups.outbox.set()
