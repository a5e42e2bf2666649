"""The delivery loop of every transport: due → prepare → claim → send → mark; leader only.

A transport implements the steps. The loop guarantees for all of them: nothing is sent unclaimed, what is claimed is
sent soon or not at all, each attempt's outcome is stored, and a failing database ends the tick, because no outcome
could be stored.
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
RETRY_S = 1.0  # after the database failed; a page's wake-up may have been lost

ItemT = TypeVar("ItemT")
ActT = TypeVar("ActT")
OutcomeT = TypeVar("OutcomeT")


class Batch(ABC, Generic[ItemT, ActT, OutcomeT]):
    """The items of one tick. `due`: most urgent first. `wait_s`: seconds until more may be due; None: nothing waits.

    Each step raises SourceError: with source "database" if that is away, else with the receiver's name.
    """

    due: Sequence[ItemT]
    wait_s: float | None

    @abstractmethod
    async def prepare(self, item: ItemT) -> ActT | None:
        """Return what to send for the item; None: nothing at this moment."""

    @abstractmethod
    async def claim(self, item: ItemT, act: ActT) -> float | None:
        """Claim the item; return until when it may be sent, by time.monotonic(); None: another sender has it."""

    @abstractmethod
    async def send(self, item: ItemT, act: ActT, leaves_by: float) -> OutcomeT:
        """Send it, once."""

    @abstractmethod
    async def after_failure(self, item: ItemT, error: SourceError) -> OutcomeT:
        """Decide whether and when it is retried. `error.outcome_unknown`: it may have arrived."""

    @abstractmethod
    async def mark(self, item: ItemT, outcome: OutcomeT) -> None:
        """Store the outcome."""


class Transport(ABC, Generic[ItemT, ActT, OutcomeT]):
    """A way to deliver items. `at_once`: how many are sent in parallel; their outcomes are stored before the next ones
    begin. `pages`: True if paging people depends on it."""

    name: str
    at_once: int
    pages: bool

    @abstractmethod
    def open(self, fence: Fence) -> AbstractAsyncContextManager[Batch[ItemT, ActT, OutcomeT]]:
        """Open the batch that is due now. Locks of the transaction that reads it are held until the block ends."""


class Delivery(PeriodicTask, Generic[ItemT, ActT, OutcomeT]):
    """Delivers what is due. `wake_up` signals that something may be due; `sent` is set after each tick that had
    items."""

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
        """Send what is due; return the seconds until the next tick. Raises as `send_due`."""
        wait_s, poll_s = await self.send_due(fence), self._wake_ups.poll_s
        if wait_s == 0.0 and self._sent is not None:
            self._sent.set()
        return poll_s if wait_s is None else min(wait_s, poll_s)

    async def send_due(self, fence: Fence) -> float | None:
        """Send what is due; return the seconds until more may be due, None if nothing waits.

        Raises SourceError if the database is away, and LostLeadershipError.
        """
        async with self._transport.open(fence) as batch:
            for first in range(0, len(batch.due), self._transport.at_once):
                items = batch.due[first : first + self._transport.at_once]
                attempts = [self._attempt(batch, item) for item in items]
                outcomes = await asyncio.gather(*attempts)
                for item, outcome in zip(items, outcomes, strict=True):
                    if outcome is not None:
                        await batch.mark(item, outcome)
        return 0.0 if batch.due else batch.wait_s  # rows may have changed meanwhile

    async def _attempt(self, batch: Batch[ItemT, ActT, OutcomeT], item: ItemT) -> OutcomeT | None:
        """Deliver one item; None if there was nothing to do, or another sender has it."""
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
    """Send nothing if the process was frozen since its claim: another sender may have claimed it by now."""
    if time.monotonic() > leaves_by:
        raise SourceError("database", "too late to begin", retryable=True)
