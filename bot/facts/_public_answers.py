"""How many answers to questions a channel gets to see: the rest is shown to the asker only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """`burst` at once, then one per `every_s` seconds."""

    burst: int
    every_s: float


PER_CHANNEL, PER_PERSON = Rate(12, 5.0), Rate(6, 10.0)


class PublicAnswers:
    """Counts for each channel, and for each person in it. `clock` is monotonic, in seconds."""

    def __init__(
        self, clock: Callable[[], float], *, per_channel: Rate = PER_CHANNEL, per_person: Rate = PER_PERSON
    ) -> None:
        self._clock = clock
        self._per_channel = per_channel
        self._per_person = per_person
        self._due_at: dict[tuple[str, str | None], float] = {}  # when as much was given as the rate allows

    def take(self, channel: str, person: str) -> bool:
        """Whether one more may be shown to everybody there; it counts then."""
        now = self._clock()
        self._due_at = {key: due_at for key, due_at in self._due_at.items() if due_at > now}
        wanted = {(channel, None): self._per_channel, (channel, person): self._per_person}
        due_at = {key: max(self._due_at.get(key, now), now) + rate.every_s for key, rate in wanted.items()}
        if any(due_at[key] > now + rate.burst * rate.every_s for key, rate in wanted.items()):
            return False
        self._due_at |= due_at
        return True
