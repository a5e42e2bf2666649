"""How leadership moves. Short in tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class LeaseSettings:
    """How leadership moves: a lease lasts `duration`, is renewed every `renew_every`, and is asked for as often.

    A successor takes over at most `duration + renew_every` after a leader died: 13.5 s, below the 15 s we promise.
    """

    duration: timedelta = timedelta(seconds=10)
    renew_every: timedelta = timedelta(seconds=3.5)
