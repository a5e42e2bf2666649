"""Overrides of the on-call file as last read, for the times when the database is away."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

from services.domain.errors import Unavailable
from services.domain.oncall import KnownOverrides, Override


class OverrideMemory:
    """Remembers the last reading, in this process only."""

    def __init__(self) -> None:
        self._known: tuple[tuple[Override, ...], float] | None = None

    def recall(self, read: Sequence[Override] | Unavailable) -> KnownOverrides:
        """This reading; when it failed the last one that did not, with its age."""
        now = time.monotonic()
        if not isinstance(read, Unavailable):
            self._known = (tuple(read), now)
            return KnownOverrides(tuple(read))
        if self._known is None:
            return KnownOverrides(read, problem=read)
        rows, read_at = self._known
        return KnownOverrides(rows, timedelta(seconds=now - read_at), read)
