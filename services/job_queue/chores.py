"""What a worker does beside its jobs, from time to time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.domain.errors import SourceError
from services.postgres.pool import Database

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chore:
    """Done at the start and every `every_s` seconds, by each worker: what may happen once only is for it to see to."""

    name: str
    every_s: float
    do: Callable[[Database], Awaitable[None]]

    async def run(self, database: Database) -> None:
        """Do it again and again, until cancelled. A database that fails is waited for until the next time."""
        while True:
            try:
                await self.do(database)
            except SourceError as error:
                log.warning("%s: %s", self.name, error.why)
            await asyncio.sleep(self.every_s)
