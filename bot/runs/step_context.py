"""One step's turn in this process: its journal line, how patient to be, and whether somebody wants it to stop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.config.timing import RunSettings
from bot.runs.executor import Json
from bot.runs.journal import Journal
from services.domain.runs import RunStep, StepState


@dataclass(frozen=True)
class Outcome:
    """How a step ended. `note` is plain words for people."""

    state: StepState
    note: str = ""
    evidence: Json = field(default_factory=dict)


@dataclass
class Cancellation:
    """What others want of the run: a person cancels it, or this process shuts down. `changed` wakes who waits."""

    cancel: bool = False
    leave: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wish(self, *, cancel: bool = False, leave: bool = False) -> None:
        self.cancel = self.cancel or cancel
        self.leave = self.leave or leave
        if self.cancel or self.leave:
            self.changed.set()


@dataclass(frozen=True)
class StepContext:
    """`elapsed_s`: how long the step has been under way by the database's clock. `progress` shows a note while it runs.

    `poll_s` gives the pause between two looks: longer where Railway's rate limit is low.
    """

    journal: Journal
    settings: RunSettings
    row: RunStep
    cancellation: Cancellation
    elapsed_s: float
    progress: Callable[[str], Awaitable[None]]
    poll_s: Callable[[], float]

    @property
    def is_stopping(self) -> bool:
        return self.cancellation.cancel or self.cancellation.leave

    async def pause(self, *, until: float | None = None) -> None:
        """Until the next look; shorter when somebody wants us to stop, or `until` (time.monotonic()) comes first."""
        wait_s = self.poll_s() if until is None else min(self.poll_s(), max(until - time.monotonic(), 0.0))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self.cancellation.changed.wait()

    async def pause_whatever(self) -> None:
        """Until the next look, also while somebody wants us to stop: an act under way is followed to its end."""
        await asyncio.sleep(self.poll_s())

    def stopped(self) -> Outcome | None:
        """A step that ends because the run is cancelled; None when a successor is to go on with it."""
        return Outcome(StepState.SKIPPED, "cancelled before it was over") if self.cancellation.cancel else None
