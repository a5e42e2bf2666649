"""What rang, and which mails came: the newest of them, until the sandbox ends."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import count

from services.sandbox.railway.changes import Changes
from services.sandbox.slack.model import User

KEPT = 30  # rings, and mails


class RingState(StrEnum):
    """How the pager's alert stands, in its own order."""

    RINGING = "ringing"
    SILENCED = "silenced"
    CLOSED = "closed"


@dataclass(frozen=True)
class Ring:
    """One alert of the pager. `key` is the sender's, `number` ours; `changed_at`: when it came to its state."""

    number: int
    key: str
    whom: User
    title: str
    details: str
    began_at: datetime
    changed_at: datetime
    state: RingState = RingState.RINGING


@dataclass(frozen=True)
class Mail:
    number: int
    whom: User
    subject: str
    details: str
    came_at: datetime


class Phones:
    """Everybody's phone and mailbox."""

    def __init__(self) -> None:
        self._rings: deque[Ring] = deque(maxlen=KEPT)
        self._mails: deque[Mail] = deque(maxlen=KEPT)
        self._changes = Changes()
        self._numbers = count(1)

    @property
    def rings(self) -> Sequence[Ring]:
        """Newest first."""
        return tuple(self._rings)

    @property
    def mails(self) -> Sequence[Mail]:
        """Newest first."""
        return tuple(self._mails)

    @property
    def ringing(self) -> Sequence[Ring]:
        return tuple(ring for ring in self._rings if ring.state is RingState.RINGING)

    def subscribe(self) -> AsyncIterator[int]:
        """A number at once, and another after each change."""
        return self._changes.subscribe()

    def ring(self, key: str, whom: User, title: str, details: str) -> None:
        """A repetition while the alert is open changes nothing: a phone rings once for each page."""
        if not any(ring.key == key and ring.state is not RingState.CLOSED for ring in self._rings):
            now = datetime.now(UTC)
            self._rings.appendleft(Ring(next(self._numbers), key, whom, title, details, now, now))
            self._changes.tick()

    def quiet(self, key: str, state: RingState) -> None:
        """Silence or close what rings; what is closed stays so, and what never rang does not begin."""
        for place, ring in enumerate(self._rings):
            if ring.key == key and ring.state is not RingState.CLOSED:
                self._rings[place] = replace(ring, state=state, changed_at=datetime.now(UTC))
                self._changes.tick()

    def deliver(self, whom: User, subject: str, details: str) -> None:
        self._mails.appendleft(Mail(next(self._numbers), whom, subject, details, datetime.now(UTC)))
        self._changes.tick()
