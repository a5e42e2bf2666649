"""Word that Railway did something: believed in nothing, only a reason to read again at once.

Whichever replica hears it, all are told through Postgres, because only one of them leads. Who wants to know `listen`s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from services.domain.errors import SourceError
from services.postgres.hints import notify_hint
from services.postgres.pool import Database

logger = logging.getLogger(__name__)

EVERY_S = 2.0  # a deployment comes as several events; reading once after them is enough


class Hints:
    """`give` may be called as often as anybody likes: listeners are rung at once, then every two seconds at most.

    `hears`: whether notices of Postgres arrive here. Where none do (a transaction pooler), this process rings itself.
    """

    def __init__(self, database: Database, *, hears: Callable[[], bool], every_s: float = EVERY_S) -> None:
        self._database = database
        self._hears = hears
        self._every_s = every_s
        self._listeners: list[Callable[[], None]] = []
        self._given = asyncio.Event()

    def listen(self, ring: Callable[[], None]) -> None:
        """Call `ring` after each hint; it must not wait."""
        self._listeners.append(ring)

    def give(self) -> None:
        """Something may have happened at Railway. A hint during the pause counts: it is passed on after it."""
        self._given.set()

    def heard(self) -> None:
        """Another replica, or this one, passed a hint on."""
        for ring in self._listeners:
            ring()

    async def run(self) -> None:
        """Pass hints on, until cancelled."""
        while True:
            await self._given.wait()
            self._given.clear()
            await self._pass_on()
            await asyncio.sleep(self._every_s)

    async def _pass_on(self) -> None:
        try:
            async with self._database.transaction() as conn:
                await notify_hint(conn)
        except SourceError as error:
            logger.warning("a hint stays in this process: %s", error.why)
            self.heard()
            return
        if not self._hears():
            self.heard()
