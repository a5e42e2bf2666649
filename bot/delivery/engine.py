"""The delivery loop of every transport: due → prepare → claim → send → mark; leader only.

A transport knows what is due and how each step is done. What holds for all of them is here: nothing is sent that is not
claimed, what was claimed leaves soon or not at all, each attempt's outcome is written, and a database that fails ends
the tick, because then no outcome could be.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.wake_ups import WakeUp, WakeUps
from services.domain.errors import SourceError

LATE_AFTER_S = 90.0  # three polls without anything to send
RETRY_S = 1.0  # after the database failed; the notice of a page may have been lost with it

ItemT = TypeVar("ItemT")
ActT = TypeVar("ActT")
OutcomeT = TypeVar("OutcomeT")


class Batch(ABC, Generic[ItemT, ActT, OutcomeT]):
    """What one tick delivers. `due`: most urgent first. `wait_s`: how long until more may be due; None: nothing waits.

    Each step raises SourceError: of "database" when that is away, else of the receiver's name.
    """

    due: Sequence[ItemT]
    wait_s: float | None

    @abstractmethod
    async def prepare(self, item: ItemT) -> ActT | None:
        """What to do about it; None: nothing at this moment."""

    @abstractmethod
    async def claim(self, item: ItemT, act: ActT) -> float | None:
        """Until when it may leave this process, by time.monotonic(); None: another sender has it."""

    @abstractmethod
    async def send(self, item: ItemT, act: ActT, leaves_by: float) -> OutcomeT:
        """Hand it over, once."""

    @abstractmethod
    async def after_failure(self, item: ItemT, error: SourceError) -> OutcomeT:
        """Whether it is tried again, and when. `error.outcome_unknown`: it may have arrived."""

    @abstractmethod
    async def mark(self, item: ItemT, outcome: OutcomeT) -> None:
        """Write what became of it."""


class Transport(ABC, Generic[ItemT, ActT, OutcomeT]):
    """`at_once`: how many are sent side by side; the outcomes of these are written before the next begin. `pages`:
    whether people depend on it to be paged."""

    name: str
    at_once: int
    pages: bool

    @abstractmethod
    def open(self, fence: Fence) -> AbstractAsyncContextManager[Batch[ItemT, ActT, OutcomeT]]:
        """The batch that is due now. What the transaction that reads it holds is held until the block ends."""


class Delivery(PeriodicTask, Generic[ItemT, ActT, OutcomeT]):
    """`wake_up` announces that something may be due; `sent` is set after each tick that had something to send."""

    def __init__(
        self,
        transport: Transport[ItemT, ActT, OutcomeT],
        wake_ups: WakeUps,
        *wake_up: WakeUp,
        sent: WakeUp | None = None,
    ) -> None:
        super().__init__(*wake_up)
        self.name = transport.name
        self.retry_s = RETRY_S
        self.late_after_s = LATE_AFTER_S if transport.pages else None
        self._transport = transport
        self._wake_ups = wake_ups
        self._sent = sent

    async def tick(self, fence: Fence) -> float:
        """Send what is due; seconds until the next tick. Raises as `send_due`."""
        wait_s, poll_s = await self.send_due(fence), self._wake_ups.poll_s
        if wait_s == 0.0 and self._sent is not None:
            self._sent.set()
        return poll_s if wait_s is None else min(wait_s, poll_s)

    async def send_due(self, fence: Fence) -> float | None:
        """Send what is due; seconds until more may be, None when nothing waits.

        Raises SourceError when the database is away, and LostLeadershipError.
        """
        async with self._transport.open(fence) as batch:
            for first in range(0, len(batch.due), self._transport.at_once):
                items = batch.due[first : first + self._transport.at_once]
                attempts = [self._attempt(batch, item) for item in items]
                outcomes = await asyncio.gather(*attempts)
                for item, outcome in zip(items, outcomes, strict=True):
                    if outcome is not None:
                        await batch.mark(item, outcome)
        return 0.0 if batch.due else batch.wait_s  # their rows may have changed meanwhile

    async def _attempt(self, batch: Batch[ItemT, ActT, OutcomeT], item: ItemT) -> OutcomeT | None:
        """None: there was nothing to do, or another sender does it."""
        try:
            act = await batch.prepare(item)
            leaves_by = None if act is None else await batch.claim(item, act)
            if act is None or leaves_by is None:
                return None
            _check_deadline(leaves_by)
            return await batch.send(item, act, leaves_by)
        except SourceError as error:
            if error.source == "database":
                raise
            return await batch.after_failure(item, error)


def _check_deadline(leaves_by: float) -> None:
    """A process that was frozen since its claim sends nothing: the claim may be another's by now."""
    if time.monotonic() > leaves_by:
        raise SourceError("database", "too late to begin", retryable=True)
