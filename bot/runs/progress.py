"""Shows how far a step is, at most every second; how it ends is always told, by whoever writes that down."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from bot.runs.journal import Journal
from bot.runs.telling import Teller
from services.domain.runs import Run, RunStep, StepState

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
