"""Files what was done without the database, once that is back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from services.domain.errors import OperatorError, SourceError

logger = logging.getLogger(__name__)


EVERY_S = 5.0  # between two tries

Write = Callable[[], Awaitable[object]]  # raises SourceError while the database is away


class LateRequests:
    """Lost with this process; it was announced in the channel anyway."""

    def __init__(self, *, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._tasks: set[asyncio.Task[None]] = set()

    def later(self, file: Write, note: Write, *, within_s: float) -> None:
        """`file` it as a run, which looks again and does what is left of it; after `within_s`, `note` it in words only.

        By then people may have started again what was stopped, and a run would stop it once more.
        """
        task = asyncio.create_task(self._write(file, note, time.monotonic() + within_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Give up what could not be filed yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write(self, file: Write, note: Write, give_up_at: float) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await (file() if time.monotonic() < give_up_at else note())
            except SourceError:
                continue
            except OperatorError as error:
                logger.warning("what was done without the database was not recorded: %s", error.why)
            return
