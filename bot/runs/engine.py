"""The run engine: executes a run step by step under the lease until it ends or another replica takes over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from bot import tracing
from bot.config.timing import RunSettings
from bot.facts.plan import MakePlan
from bot.freezes.holds import why_frozen
from bot.runs.act import ActExecution, Cancellation, Outcome, StepContext, observe_until_done
from bot.runs.decide import FallBack, has_acted, next_action, poll_every
from bot.runs.executor import Act, LocalStep, Tools, WaitStep, past_steps
from bot.runs.executors import executor_of
from bot.runs.finish import RunFinish
from bot.runs.journal import Journal, LostRunError
from bot.runs.message import RunMessageWriter, taken_over
from bot.runs.start import RunStart, WhyRevoked, never_revoked
from bot.world import World
from playbooks.model import Risk
from playbooks.stored_steps import decode_step
from services.clients.postgres import runs
from services.clients.postgres.pool import Database
from services.clients.postgres.queries import read_clock
from services.clients.railway.quota import Purpose, at_least, reading_for
from services.domain.errors import SourceError
from services.domain.runs import Run, RunState, RunStep, StepState
from services.process import describe_error

EVERY_S = 1.0


class Progress:
    """Shows the progress of one run in its message. Raises LostRunError, and SourceError for the database."""

    def __init__(self, journal: Journal, message_writer: RunMessageWriter) -> None:
        self._journal = journal
        self._message_writer = message_writer
        self._reported = ""
        self._reported_at = 0.0

    async def report(self, run: Run, steps: Sequence[RunStep], row: RunStep, note: str) -> None:
        """Show the note at its step, marked as running whatever the journal said before; at most once per second."""
        now = time.monotonic()
        if note == self._reported or now - self._reported_at < EVERY_S:
            return
        self._reported, self._reported_at = note, now
        shown = [replace(one, note=note, state=StepState.RUNNING) if one is row else one for one in steps]
        async with self._journal.writing() as conn:
            await self._message_writer.write_as(conn, run, shown)
        self._message_writer.wake_ups.outbox.set()


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dependencies:
    """Dependencies of every run's execution."""

    database: Database
    world: World
    plans: Mapping[str, MakePlan]
    message_writer: RunMessageWriter
    settings: RunSettings
    why_revoked: WhyRevoked = never_revoked


class RunEngine:
    """Executes one claim of one run. `cancellation`: requests to end it."""

    def __init__(self, dependencies: Dependencies, journal: Journal, cancellation: Cancellation) -> None:
        self._dependencies = dependencies
        self._journal = journal
        self._cancellation = cancellation
        self._ending = RunFinish(dependencies.world, journal, dependencies.message_writer)
        self._progress = Progress(journal, dependencies.message_writer)

    async def execute(self) -> None:
        """Execute until the run ends, waits for a person, or is left. Raises LostRunError, and SourceError for the
        database."""
        parent = await self._read_traceparent() if tracing.is_on() else None
        with tracing.span("run", parent=parent, run=self._journal.run_id):
            await self._execute()

    async def _execute(self) -> None:
        with reading_for(Purpose.CHANGE):
            tasks = {asyncio.create_task(self._work()), asyncio.create_task(self._keep())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self) -> None:
        """Renew the lease, and watch for a cancellation. Raises LostRunError if another replica may hold the lease."""
        while True:
            await asyncio.sleep(self._dependencies.settings.renew_every_s)
            try:
                async with self._journal.writing() as conn:
                    run = await runs.read_run(conn, self._journal.run_id)
            except SourceError as error:
                if time.monotonic() >= self._journal.held_until:
                    logger.warning("run %d: the lease expired: %s", self._journal.run_id, error.why)
                    raise LostRunError from None
                continue
            if run is None or run.state.is_final:
                raise LostRunError
            if run.cancel_requested_by:
                self._cancellation.wish(cancel=True)

    async def _work(self) -> None:
        run, steps, _ = await self._read()
        if run.state is RunState.RUNNING and self._journal.epoch > 1:
            await self._report_takeover(run, steps)
        goes_on = True
        while goes_on and not self._cancellation.leave:
            run, steps, now = await self._read()
            try:
                goes_on = await self._advance(run, steps, now)
            except (LostRunError, SourceError):
                raise
            except Exception as error:
                goes_on = False
                await self._ending.give_up(run, error)
        await self._journal.release()

    async def _advance(self, run: Run, steps: list[RunStep], now: datetime) -> bool:
        """Start the run, execute one step, or end the run; True if there is more to do."""
        if run.cancel_requested_by:
            self._cancellation.wish(cancel=True)
        if run.state is RunState.UNKNOWN:
            return False
        if run.state is RunState.APPROVED:
            return await self._begin(run, steps)
        action = next_action(steps, planned=len(run.plan["steps"]), cancel=self._cancellation.cancel)
        match action:
            case RunState():
                await self._ending.close(run, steps, action)
                return False
            case FallBack():
                await self._ending.fall_back(run, steps, action)
                return True
            case RunStep():
                return await self._step(run, steps, action, now)

    async def _begin(self, run: Run, steps: list[RunStep]) -> bool:
        if self._cancellation.cancel:
            await self._ending.close(run, steps, RunState.CANCELLED)
            return False
        dependencies = self._dependencies
        return await RunStart(
            dependencies.database,
            dependencies.world,
            dependencies.plans,
            self._journal,
            dependencies.message_writer,
            dependencies.why_revoked,
        ).begin(run)

    async def _step(self, run: Run, steps: list[RunStep], row: RunStep, now: datetime) -> bool:
        begun = row if row.started_at else replace(row, started_at=now)
        with tracing.span("step", run=run.id, change=run.playbook, step=str(row.step["kind"])):
            return await self._execute_step(run, steps, row, begun, now)

    async def _execute_step(self, run: Run, steps: list[RunStep], row: RunStep, begun: RunStep, now: datetime) -> bool:
        tools = Tools(self._dependencies.world, run, begun, past_steps(steps, row.position))
        executor = executor_of(decode_step(row.step), tools)
        if isinstance(executor, LocalStep):
            await self._do(run, row, executor)
        else:
            with at_least(Purpose.EMERGENCY if run.risk == Risk.BREAK_GLASS else Purpose.CHANGE):
                outcome = await self._guarded(executor, self._make_context(run, steps, row, now))
            if outcome is None:
                return False  # another replica continues
            async with self._journal.writing(settled=True) as conn:
                await self._ending.finish(conn, run, row, outcome)
        self._dependencies.message_writer.wake_ups.outbox.set()
        return True

    async def _guarded(self, executor: Act[Any] | WaitStep[Any], step_context: StepContext) -> Outcome | None:
        """Execute the step. A bug ends the run like any other failure, so that it does not repeat on each replica."""
        try:
            if isinstance(executor, Act):
                return await ActExecution(executor, step_context).run()
            return await observe_until_done(executor, step_context)
        except (LostRunError, SourceError):
            raise
        except Exception as error:
            logger.error("run %d: %s", step_context.journal.run_id, describe_error(error))  # noqa: TRY400
            acts = decode_step(step_context.row.step).acts
            state = StepState.UNKNOWN if acts else StepState.FAILED
            return Outcome(state, f"the bot itself failed ({type(error).__name__}); its log says where")

    async def _do(self, run: Run, row: RunStep, local_step: LocalStep[Any]) -> None:
        """Execute a local step in one transaction with its outcome. Raises SourceError if it may be retried."""
        try:
            async with self._journal.writing() as conn:
                done = await local_step.do(conn)
                await self._ending.finish(conn, run, row, Outcome(StepState.DONE, done.note, done.evidence))
        except SourceError as error:
            if error.is_outage:
                raise
            async with self._journal.writing() as conn:
                refused = Outcome(StepState.FAILED, f"the database refused it: {error.why}")
                await self._ending.finish(conn, run, row, refused)

    async def _report_takeover(self, run: Run, steps: list[RunStep]) -> None:
        async with self._journal.writing() as conn:
            await self._dependencies.message_writer.note(
                conn, run, f"taken-over:{self._journal.epoch}", taken_over(steps)
            )
        self._dependencies.message_writer.wake_ups.outbox.set()

    async def _read_traceparent(self) -> str | None:
        async with self._dependencies.database.read() as conn:
            return await runs.read_traceparent(conn, run_id=self._journal.run_id)

    async def _read(self) -> tuple[Run, list[RunStep], datetime]:
        async with self._dependencies.database.read() as conn:
            run, steps = await self._journal.read(conn)
            return run, steps, await read_clock(conn)

    def _make_context(self, run: Run, steps: list[RunStep], row: RunStep, now: datetime) -> StepContext:
        async def progress(note: str) -> None:
            await self._progress.report(run, steps, row, note)

        elapsed_s = (now - row.started_at).total_seconds() if row.started_at else 0.0
        held_back = partial(why_frozen, run=run, name_of=self._dependencies.world.name_of)
        return StepContext(
            journal=self._journal,
            settings=self._dependencies.settings,
            row=row,
            cancellation=self._cancellation,
            elapsed_s=elapsed_s,
            progress=progress,
            poll_s=partial(self._poll_s, time.monotonic() - elapsed_s),
            held_back=None if has_acted(steps) else held_back,
        )

    def _poll_s(self, began: float) -> float:
        """Seconds until the next check. `began`: when the step began, by time.monotonic()."""
        railway = self._dependencies.world.railway
        limit = railway.rate_limit if railway else None
        return poll_every(
            self._dependencies.settings.poll_every_s,
            limit.limit if limit else None,
            elapsed_s=time.monotonic() - began,
        )
