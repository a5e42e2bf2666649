"""Rings phones without a database, once an outage, and remembers who was reached until that can be stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.notifications.reach import Reach
from services.domain.errors import SourceError
from services.domain.notifications import Means, Page

logger = logging.getLogger(__name__)

Target = tuple[Means, str]


@dataclass(frozen=True)
class Rung:
    """What was told to whom. `why_not`: None when it was taken."""

    means: Means
    target: str
    line: str
    at: datetime
    why_not: str | None


class Phones:
    """`whom` names the targets when it comes to it."""

    def __init__(
        self, reach: Reach, *, environment: str | None, whom: Callable[[], Awaitable[Sequence[Target]]]
    ) -> None:
        self._reach = reach
        self._environment = environment or "unknown"
        self._whom = whom
        self._rung: dict[Target, Rung] = {}

    @property
    def rung(self) -> Sequence[Rung]:
        return tuple(self._rung.values())

    def forget(self) -> None:
        """It is over and stored."""
        self._rung.clear()

    async def ring(self, line: str, *, since: datetime) -> None:
        """Tell everybody who was not told yet; whom a repetition may still reach is tried again by the next call."""
        left = [target for target in await self._whom() if target not in self._rung]
        await asyncio.gather(*(self._ring(target, line, since) for target in left))

    async def _ring(self, target: Target, line: str, since: datetime) -> None:
        means, name = target
        # The same key in all replicas, so that a receiver rings once; another one for an outage of another hour.
        key = f"dragonfly:{self._environment}:outage:{since:%Y-%m-%dT%H}"
        page = Page(key, self._environment, f"PAGE {line}", f"PAGE {line}", since)
        why_not = None
        try:
            await self._reach.tell(means, name, page)
        except SourceError as error:
            logger.warning("%s was not reached by %s: %s", name, means, error.why)
            if error.retryable:
                return
            why_not = error.why
        self._rung[target] = Rung(means, name, page.text, datetime.now(UTC), why_not)
