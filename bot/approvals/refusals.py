"""Bounds the audit rows of a flood of refusals: one per person, verb and minute, with their number; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

EVERY_S = 60.0
MOST = 10_000  # pairs of a person and a verb that are remembered


@dataclass
class _Seen:
    written_at: float
    held_back: int = 0


class Refusals:
    """`clock` is monotonic, in seconds. In this process only: another replica counts for itself."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, str], _Seen] = {}

    def count(self, who: str, verb: str) -> int | None:
        """For how many refusals a row is due now, this one included; None while this person's last row of the verb is
        younger than a minute."""
        now = self._clock()
        seen = self._seen.get((who, verb))
        if seen is not None and now - seen.written_at < EVERY_S:
            seen.held_back += 1
            return None
        self._forget(now)
        self._seen[who, verb] = _Seen(now)
        return 1 + (seen.held_back if seen is not None else 0)

    def _forget(self, now: float) -> None:
        """Those who gave up; without a bound, invented people would fill the memory."""
        if len(self._seen) >= MOST:
            self._seen = {key: one for key, one in self._seen.items() if now - one.written_at < EVERY_S}
        if len(self._seen) >= MOST:
            self._seen.clear()
