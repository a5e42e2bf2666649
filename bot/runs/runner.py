"""Finds runs that no replica executes, and executes them: in every replica, many runs at a time."""

from __future__ import annotations

import asyncio
import logging
import secrets

from bot.changes import CHANGES
from bot.runs.act import Cancellation
from bot.runs.engine import Dependencies, RunEngine
from bot.runs.journal import LostRunError, claim
from bot.wake_ups import drive
from playbooks.later import OPTIONS
from playbooks.steps import STEPS
from playbooks.stored_steps import FORMAT
from services.clients.postgres import runs
from services.domain.errors import SourceError
from services.domain.runs import OpenRun
from services.process import describe_error

logger = logging.getLogger(__name__)


class Runner:
    """Claims and executes runs. `owner` names this process in the leases. With Postgres notices it polls seldom while
    no run is open."""

    def __init__(self, dependencies: Dependencies, *, owner: str) -> None:
        self._dependencies = dependencies
        self._owner = owner
        self._wake_ups = dependencies.message_writer.wake_ups
        self._executing: dict[int, tuple[Cancellation, asyncio.Task[None]]] = {}
        self._problem: str | None = None

    async def run(self) -> None:
        """Claim and execute runs until cancelled; call `hand_over` then."""
        await drive(self._claim_due, self._wake_ups.runs)

    async def hand_over(self) -> None:
        """Wait `hand_over_s` at most for acts under way, then leave the runs to other replicas."""
        for cancellation, _ in self._executing.values():
            cancellation.wish(leave=True)
        tasks = [task for _, task in self._executing.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=self._dependencies.settings.hand_over_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _claim_due(self) -> float:
        """Execute unclaimed runs; return the seconds until the next poll."""
        is_quiet = await self._take_all() and self._wake_ups.has_notices
        settings = self._dependencies.settings
        return settings.check_when_quiet_s if is_quiet else settings.check_every_s

    async def _take_all(self) -> bool:
        """Execute the runs that no replica executes; True if the database shows no open run."""
        try:
            async with self._dependencies.database.read() as conn:
                open_runs = await runs.list_runs_to_execute(
                    conn,
                    kinds={*STEPS, *OPTIONS},
                    format=FORMAT,
                    longest_lease=self._dependencies.settings.longest_lease,
                )
            for run in open_runs:
                if run.is_claimable and self._has_room(run):
                    await self._take(run.run_id)
        except SourceError as error:
            self._note(error.why)
            return False
        self._note(None)
        return not open_runs

    def _has_room(self, run: OpenRun) -> bool:
        change = CHANGES.get(run.playbook)
        goes_first = change is not None and bool(change.preempts)
        return goes_first or len(self._executing) < self._dependencies.settings.runs_at_once

    async def _take(self, run_id: int) -> None:
        if run_id in self._executing:
            return
        owner = f"{self._owner}:{secrets.token_hex(4)}"
        journal = await claim(
            self._dependencies.database, run_id=run_id, owner=owner, settings=self._dependencies.settings
        )
        if journal is None:
            return
        cancellation = Cancellation()
        task = asyncio.create_task(
            self._execute(RunEngine(self._dependencies, journal, cancellation), run_id), name=f"run {run_id}"
        )
        self._executing[run_id] = (cancellation, task)
        task.add_done_callback(lambda _: self._end(run_id))

    def _end(self, run_id: int) -> None:
        """Forget an ended run, and look for another one if all places were taken."""
        was_full = len(self._executing) >= self._dependencies.settings.runs_at_once
        self._executing.pop(run_id, None)
        if was_full:
            self._wake_ups.runs.set()

    async def _execute(self, run_engine: RunEngine, run_id: int) -> None:
        """Execute the run; after a failure, the replica that takes its lease next continues, perhaps this one."""
        try:
            await run_engine.execute()
        except LostRunError:
            logger.info("run %d: another replica executes it, or it has ended", run_id)
        except SourceError as error:
            logger.warning("run %d: paused, another attempt follows: %s: %s", run_id, error.source, error.why)
        except Exception as error:
            logger.error("run %d: execution failed: %s", run_id, describe_error(error))  # noqa: TRY400

    def _note(self, problem: str | None) -> None:
        if problem != self._problem:
            logger.info("runs: %s", problem or "the database answers")
        self._problem = problem
