"""The run engine: executes a run step by step under the lease until it ends or another replica takes over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.config.timing import RunSettings
from bot.facts import MakePlan
from bot.runs.act import Acting, look_until_so
from bot.runs.decide import FallBack, next_move, poll_every
from bot.runs.executor import Act, Deed, Tools, Watch, past_steps
from bot.runs.executors import executor_of
from bot.runs.finish import Ending
from bot.runs.journal import Journal, LostRunError
from bot.runs.message import Teller, taken_over
from bot.runs.start import Beginning
from bot.runs.step_context import Outcome, Turn, Wishes
from bot.world import World
from playbooks.model import Risk
from playbooks.steps import decode_step, is_act
from services.clients.postgres import runs
from services.clients.postgres.pool import Database
from services.clients.postgres.queries import read_clock
from services.clients.railway.quota import Purpose, at_least, reading_for
from services.domain.errors import SourceError
from services.domain.runs import Run, RunState, RunStep, StepState
from services.process import describe_error

EVERY_S = 1.0


class Progress:
    """Of one run. Raises LostRunError and the database's SourceError."""

    def __init__(self, journal: Journal, teller: Teller) -> None:
        self._journal = journal
        self._teller = teller
        self._told = ""
        self._told_at = 0.0

    async def tell(self, run: Run, steps: Sequence[RunStep], row: RunStep, note: str) -> None:
        """Show the note at its step, which is under way whatever the journal said before."""
        now = time.monotonic()
        if note == self._told or now - self._told_at < EVERY_S:
            return
        self._told, self._told_at = note, now
        shown = [replace(one, note=note, state=StepState.RUNNING) if one is row else one for one in steps]
        async with self._journal.writing() as conn:
            await self._teller.tell_as(conn, run, shown)
        self._teller.told()


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gear:
    """What carrying any run needs."""

    database: Database
    world: World
    plans: Mapping[str, MakePlan]
    teller: Teller
    settings: RunSettings


class Carrier:
    """One claim of one run. `wishes` are what others want of it."""

    def __init__(self, gear: Gear, journal: Journal, wishes: Wishes) -> None:
        self._gear = gear
        self._journal = journal
        self._wishes = wishes
        self._ending = Ending(gear.world, journal, gear.teller)
        self._progress = Progress(journal, gear.teller)

    async def carry(self) -> None:
        """Until the run ends, stops for a person, or is left. Raises LostRunError, SourceError of the database."""
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
        """Renew the lease, and hear what others want. Raises LostRunError when the lease may be another's."""
        while True:
            await asyncio.sleep(self._gear.settings.renew_every_s)
            try:
                async with self._journal.writing() as conn:
                    run = await runs.read_run(conn, self._journal.run_id)
            except SourceError as error:
                if time.monotonic() >= self._journal.held_until:
                    logger.warning("run %d: the lease ran out: %s", self._journal.run_id, error.why)
                    raise LostRunError from None
                continue
            if run is None or run.state.is_final:
                raise LostRunError
            if run.cancel_requested_by:
                self._wishes.wish(cancel=True)

    async def _work(self) -> None:
        run, steps, _ = await self._read()
        if run.state is RunState.RUNNING and self._journal.epoch > 1:
            await self._tell_taken_over(run, steps)
        goes_on = True
        while goes_on and not self._wishes.leave:
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
        """One step, or the beginning, or the end. Whether there is more to do."""
        if run.cancel_requested_by:
            self._wishes.wish(cancel=True)
        if run.state is RunState.UNKNOWN:
            return False
        if run.state is RunState.APPROVED:
            return await self._begin(run, steps)
        move = next_move(steps, planned=len(run.plan["steps"]), cancel=self._wishes.cancel)
        match move:
            case RunState():
                await self._ending.close(run, steps, move)
                return False
            case FallBack():
                await self._ending.fall_back(run, steps, move)
                return True
            case RunStep():
                return await self._step(run, steps, move, now)

    async def _begin(self, run: Run, steps: list[RunStep]) -> bool:
        if self._wishes.cancel:
            await self._ending.close(run, steps, RunState.CANCELLED)
            return False
        gear = self._gear
        return await Beginning(gear.database, gear.world, gear.plans, self._journal, gear.teller).begin(run)

    async def _step(self, run: Run, steps: list[RunStep], row: RunStep, now: datetime) -> bool:
        begun = row if row.started_at else replace(row, started_at=now)
        tools = Tools(self._gear.world, run, begun, past_steps(steps, row.position))
        executor = executor_of(decode_step(row.step), tools)
        if isinstance(executor, Deed):
            await self._do(run, row, executor)
        else:
            with at_least(Purpose.EMERGENCY if run.risk == Risk.BREAK_GLASS else Purpose.CHANGE):
                outcome = await self._guarded(executor, self._turn(run, steps, row, now))
            if outcome is None:
                return False  # left to a successor
            async with self._journal.writing(settled=True) as conn:
                await self._ending.finish(conn, run, row, outcome)
        self._gear.teller.told()
        return True

    async def _guarded(self, executor: Act | Watch, turn: Turn) -> Outcome | None:
        """A bug ends the run like anything else that goes wrong, and does not begin again with each replica."""
        try:
            if isinstance(executor, Act):
                return await Acting(executor, turn).run()
            return await look_until_so(executor, turn)
        except (LostRunError, SourceError):
            raise
        except Exception as error:
            logger.error("run %d: %s", turn.journal.run_id, describe_error(error))  # noqa: TRY400
            acts = is_act(decode_step(turn.row.step))
            state = StepState.UNKNOWN if acts else StepState.FAILED
            return Outcome(state, f"the bot itself failed ({type(error).__name__}); its log says where")

    async def _do(self, run: Run, row: RunStep, deed: Deed) -> None:
        """In one transaction with its outcome. Raises SourceError when it may be tried again."""
        try:
            async with self._journal.writing() as conn:
                done = await deed.do(conn)
                await self._ending.finish(conn, run, row, Outcome(StepState.DONE, done.note, done.evidence))
        except SourceError as error:
            if error.is_outage:
                raise
            async with self._journal.writing() as conn:
                refused = Outcome(StepState.FAILED, f"the database refused it: {error.why}")
                await self._ending.finish(conn, run, row, refused)

    async def _tell_taken_over(self, run: Run, steps: list[RunStep]) -> None:
        async with self._journal.writing() as conn:
            await self._gear.teller.note(conn, run, f"taken-over:{self._journal.epoch}", taken_over(steps))
        self._gear.teller.told()

    async def _read(self) -> tuple[Run, list[RunStep], datetime]:
        async with self._gear.database.read() as conn:
            run, steps = await self._journal.read(conn)
            return run, steps, await read_clock(conn)

    def _turn(self, run: Run, steps: list[RunStep], row: RunStep, now: datetime) -> Turn:
        async def progress(note: str) -> None:
            await self._progress.tell(run, steps, row, note)

        return Turn(
            journal=self._journal,
            settings=self._gear.settings,
            row=row,
            wishes=self._wishes,
            elapsed_s=(now - row.started_at).total_seconds() if row.started_at else 0.0,
            progress=progress,
            poll_s=self._poll_s,
        )

    def _poll_s(self) -> float:
        railway = self._gear.world.railway
        limit = railway.rate_limit if railway else None
        return poll_every(self._gear.settings.poll_every_s, limit.limit if limit else None)
