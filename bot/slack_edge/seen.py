"""What this process has taken already: enough to tell repetitions while there is no database."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

TTL_S = 3600.0  # Slack's last retry of an event comes after about five minutes
LIMIT = 10_000


class Seen:
    """At most `limit` keys, each for `ttl_s` seconds."""

    def __init__(
        self, *, ttl_s: float = TTL_S, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl_s = ttl_s
        self._limit = limit
        self._clock = clock
        self._at: OrderedDict[str, float] = OrderedDict()  # oldest first

    def add(self, key: str) -> bool:
        """Whether the key is new; it is not any more."""
        self._drop_old()
        if key in self._at:
            return False
        self._at[key] = self._clock()
        if len(self._at) > self._limit:
            self._at.popitem(last=False)
        return True

    def discard(self, key: str) -> None:
        """Forget the key: its work was not finished."""
        self._at.pop(key, None)

    def __len__(self) -> int:
        return len(self._at)

    def _drop_old(self) -> None:
        oldest = self._clock() - self._ttl_s
        while self._at and next(iter(self._at.values())) <= oldest:
            self._at.popitem(last=False)
