"""Rings phones without a database, once an outage, and remembers who was reached until that can be stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.notifications.decide import GIVE_UP_AFTER
from bot.notifications.reach import Reach
from services.domain.errors import SourceError
from services.domain.notifications import Means, Page, PageEvent

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
        self._ringing: dict[Target, Page] = {}
        self._over_at: datetime | None = None

    @property
    def rung(self) -> Sequence[Rung]:
        return tuple(self._rung.values())

    def forget(self) -> None:
        """It is over and stored."""
        self._rung.clear()

    async def ring(self, line: str, *, since: datetime) -> None:
        """Tell everybody who was not told yet; whom a repetition may still reach is tried again by the next call."""
        self._over_at = None
        left = [target for target in await self._whom() if target not in self._rung]
        await asyncio.gather(*(self._ring(target, line, since) for target in left))

    async def hush(self) -> None:
        """It is over: each pager that rings is told; whom a repetition may still reach is tried again by the next call.

        An e-mail does not ring on, and the message in Slack says that it is over.
        """
        now = datetime.now(UTC)
        self._over_at = self._over_at or now
        if now - self._over_at > GIVE_UP_AFTER:
            self._ringing.clear()
        await asyncio.gather(*(self._hush(target, page) for target, page in tuple(self._ringing.items())))

    async def _hush(self, target: Target, page: Page) -> None:
        subject = f"RESOLVED {page.subject.removeprefix('PAGE ')}"
        text, now = "The bot reaches the database again.", datetime.now(UTC)
        try:
            await self._reach.tell(*target, replace(page, subject=subject, text=text, at=now, event=PageEvent.RESOLVED))
        except SourceError as error:
            logger.warning("%s was not told that it is over: %s", target[1], error.why)
            if error.retryable:
                return
        self._ringing.pop(target, None)

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
        else:
            self._ringing |= {target: page} if means is Means.WEBHOOK else {}
        self._rung[target] = Rung(means, name, page.text, datetime.now(UTC), why_not)
