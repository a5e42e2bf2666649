"""Rings phones without a database, and remembers who was reached until that can be stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.notifications.decide import GIVE_UP_AFTER
from bot.notifications.reach import Reach
from bot.outage.decide import Target
from services.domain.errors import SourceError
from services.domain.notifications import Means, Page, PageEvent

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rung:
    """What was told to whom. `why_not`: None when it was taken."""

    means: Means
    target: str
    line: str
    at: datetime
    why_not: str | None


class Phones:
    """One for the process."""

    def __init__(self, reach: Reach, *, environment: str | None) -> None:
        self._reach = reach
        self._environment = environment or "unknown"
        self._rung: dict[tuple[int, Target], Rung] = {}
        self._ringing: dict[tuple[int, Target], Page] = {}
        self._over_at: datetime | None = None

    @property
    def rung(self) -> Sequence[Rung]:
        """What each was told first."""
        return tuple({target: one for (_, target), one in reversed(self._rung.items())}.values())[::-1]

    def forget(self) -> None:
        """It is over and stored."""
        self._rung.clear()

    async def ring(self, line: str, targets: Sequence[Target], *, since: datetime, number: int = 0) -> None:
        """Tell those who were not told yet by the page of this number, which counts from 0; whom a repetition may still
        reach is tried again by the next call."""
        self._over_at = None
        left = [target for target in targets if (number, target) not in self._rung]
        await asyncio.gather(*(self._ring(target, line, since, number) for target in left))

    async def acknowledge(self) -> None:
        """Somebody has it: pagers that ring are told so, once, and are told again when it is over."""
        await asyncio.gather(*(self._acknowledge(key, page) for key, page in self._ringing.items()))

    async def hush(self) -> None:
        """It is over: each pager that rings is told; whom a repetition may still reach is tried again by the next call.

        An e-mail does not ring on, and the message in Slack says that it is over.
        """
        now = datetime.now(UTC)
        self._over_at = self._over_at or now
        if now - self._over_at > GIVE_UP_AFTER:
            self._ringing.clear()
        await asyncio.gather(*(self._hush(key, page) for key, page in tuple(self._ringing.items())))

    async def _acknowledge(self, key: tuple[int, Target], page: Page) -> None:
        subject = f"ACKNOWLEDGED {page.subject.removeprefix('PAGE ')}"
        text, now = "Acknowledged in Slack.", datetime.now(UTC)
        told = replace(page, subject=subject, text=text, at=now, event=PageEvent.ACKNOWLEDGED)
        try:
            await self._reach.tell(*key[1], told)
        except SourceError as error:
            logger.warning("%s was not told that it is acknowledged: %s", key[1][1], error.why)

    async def _hush(self, key: tuple[int, Target], page: Page) -> None:
        subject = f"RESOLVED {page.subject.removeprefix('PAGE ')}"
        text, now = "The bot reaches the database again.", datetime.now(UTC)
        try:
            await self._reach.tell(*key[1], replace(page, subject=subject, text=text, at=now, event=PageEvent.RESOLVED))
        except SourceError as error:
            logger.warning("%s was not told that it is over: %s", key[1][1], error.why)
            if error.retryable:
                return
        self._ringing.pop(key, None)

    async def _ring(self, target: Target, line: str, since: datetime, number: int) -> None:
        means, name = target
        # The same key in all replicas, so that a receiver rings once; another one for an outage of another hour.
        key = f"dragonfly:{self._environment}:outage:{since:%Y-%m-%dT%H}{f':{number}' if number else ''}"
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
            self._ringing |= {(number, target): page} if means is Means.WEBHOOK else {}
        self._rung[number, target] = Rung(means, name, page.text, datetime.now(UTC), why_not)
