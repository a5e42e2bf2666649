"""The journal of a run that this process executes: each write renews the lease, and fails once the lease is lost.

Nothing is retried here. After a failure of the database the lease expires, and the replica that takes it, perhaps this
one, reads back the state and continues.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import timedelta

from bot.config.timing import RunSettings
from bot.runs.executor import Json
from services.clients.postgres import leases, runs
from services.clients.postgres.pool import Connection, Database
from services.domain.runs import Run, RunStep, StepState, run_lease


class LostRunError(Exception):
    """Another replica executes the run, it was pre-empted, or it has ended: this process must not continue it."""


class Journal:
    """The journal of one claimed run. `owner` is new for each claim, so that even this process waits until its own lost
    lease expires."""

    def __init__(self, database: Database, *, run_id: int, owner: str, epoch: int, settings: RunSettings) -> None:
        self.run_id = run_id
        self.owner = owner
        self.epoch = epoch
        self.held_until = 0.0  # by time.monotonic(); until then no other replica executes the run
        self._database = database
        self._settings = settings
        self._hold_s = settings.lease_s
        self._one_at_a_time = asyncio.Lock()  # so that no renewal undoes a shortened lease

    @contextlib.asynccontextmanager
    async def writing(self, *, settled: bool = False) -> AsyncIterator[Connection]:
        """Open a transaction that also renews the lease. Raises LostRunError, SourceError.

        `settled`: no act is under way any more, so the lease becomes short again.
        """
        async with self._one_at_a_time:
            asked_at, hold_s = time.monotonic(), self._hold_s
            async with self._database.transaction(timeout_s=self._settings.lease_s) as conn:
                await self.renew(conn, hold_s=hold_s)
                yield conn
                if settled:
                    await self._shorten(conn, hold_s)
            self.held_until = asked_at + hold_s if settled else max(self.held_until, asked_at + hold_s)

    @property
    def longest_lease(self) -> timedelta:
        """The longest time for which a replica may hold a run without renewing its lease."""
        return self._settings.longest_lease

    @contextlib.asynccontextmanager
    async def during_act(self) -> AsyncIterator[None]:
        """Use the long lease while an act is under way, at each renewal."""
        self._hold_s = self._settings.act_lease_s
        try:
            yield
        finally:
            self._hold_s = self._settings.lease_s

    async def read(self, conn: Connection) -> tuple[Run, list[RunStep]]:
        """Read the run and its steps. Raises LostRunError if it has ended."""
        run = await runs.read_run(conn, self.run_id)
        if run is None or run.state.is_final:
            raise LostRunError
        return run, await runs.read_steps(conn, self.run_id)

    async def intend(self, conn: Connection, position: int, intent: Json) -> None:
        """Record what is about to be sent. Raises LostRunError."""
        _must(
            await runs.intend_step(
                conn, run_id=self.run_id, position=position, owner=self.owner, epoch=self.epoch, intent=intent
            )
        )

    async def start(self, conn: Connection, position: int) -> None:
        """Mark a step as running: it checks or waits, or its act was accepted. Raises LostRunError."""
        _must(await runs.start_step(conn, run_id=self.run_id, position=position, owner=self.owner, epoch=self.epoch))

    async def finish(self, conn: Connection, position: int, state: StepState, evidence: Json, note: str) -> None:
        """Record a step's outcome. Raises LostRunError."""
        _must(
            await runs.finish_step(
                conn,
                run_id=self.run_id,
                position=position,
                owner=self.owner,
                epoch=self.epoch,
                state=state,
                evidence=evidence,
                note=note or None,
            )
        )

    async def release(self) -> None:
        """Release the lease, so that another replica can continue immediately. Raises SourceError."""
        async with self._database.transaction(timeout_s=self._settings.lease_s) as conn:
            await leases.release_lease(conn, name=run_lease(self.run_id), owner=self.owner, epoch=self.epoch)

    async def renew(self, conn: Connection, *, hold_s: float | None = None) -> None:
        """Renew the lease in the caller's transaction. Raises LostRunError."""
        epoch = await leases.take_lease(
            conn,
            name=run_lease(self.run_id),
            owner=self.owner,
            duration=timedelta(seconds=hold_s or self._hold_s),
            longest=self._settings.longest_lease,
        )
        _must(epoch == self.epoch)

    async def _shorten(self, conn: Connection, hold_s: float) -> None:
        name, duration = run_lease(self.run_id), timedelta(seconds=hold_s)
        await leases.shorten_lease(conn, name=name, owner=self.owner, epoch=self.epoch, duration=duration)


async def claim(database: Database, *, run_id: int, owner: str, settings: RunSettings) -> Journal | None:
    """Take the run's lease, and return its journal; None if another replica has it. Raises SourceError."""
    asked_at = time.monotonic()
    duration = timedelta(seconds=settings.lease_s)
    async with database.transaction(timeout_s=settings.lease_s) as conn:
        epoch = await leases.take_lease(
            conn, name=run_lease(run_id), owner=owner, duration=duration, longest=settings.longest_lease
        )
    if epoch is None:
        return None
    journal = Journal(database, run_id=run_id, owner=owner, epoch=epoch, settings=settings)
    journal.held_until = asked_at + settings.lease_s
    return journal


def _must(happened: bool) -> None:
    if not happened:
        raise LostRunError
