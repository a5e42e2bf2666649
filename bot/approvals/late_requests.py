"""Files emergency stops that were done while the database was away, once it is back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from services.domain.errors import OperatorError, SourceError

logger = logging.getLogger(__name__)


EVERY_S = 5.0  # between two attempts

Write = Callable[[], Awaitable[object]]  # raises SourceError while the database is away


class LateRequests:
    """Requests that wait for the database. They are lost with this process, but announced in the channel anyway."""

    def __init__(self, *, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._tasks: set[asyncio.Task[None]] = set()

    def later(self, file: Write, note: Write, *, within_s: float) -> None:
        """Call `file`, which files a run that checks again and does the rest; after `within_s` call `note` instead.

        By then people may have started the stopped services again, and a run would stop them once more.
        """
        task = asyncio.create_task(self._write(file, note, time.monotonic() + within_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Give up the requests that could not be filed yet."""
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
                logger.warning("actions taken without the database were not recorded: %s", error.why)
            return
