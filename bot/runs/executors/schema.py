"""Undoes the newest migration with its prepared file, in one transaction of the owner's."""

from __future__ import annotations

import asyncio
import time

from bot.runs.tools import Act, Tools
from bot.runs.verdicts import Before, Differs, Done, Json, NotThere, ReadBack, Ready, Unseen
from bot.settings import require
from playbooks._steps import ApplySqlFile
from services.domain.errors import OperatorError, SourceError, Unavailable
from services.domain.migrations import PreparedRollback
from services.postgres.rollbacks import apply_rollback

SOURCE = "database"


class ApplySql(Act):
    """Compares the schema's head inside the transaction too, so that a second try finds nothing to undo."""

    def __init__(self, tools: Tools, step: ApplySqlFile) -> None:
        self._tools = tools
        self._step = step

    async def before(self) -> Before:
        status = await self._tools.world.migrations()
        if isinstance(status, Unavailable):
            return Unseen(f"{status.source}: {status.why}")
        if status.head != self._step.head:
            return Differs(f"the schema stands at {status.head or 'nothing'}, not at {self._step.head}")
        return Ready({"head": self._step.head})

    async def send(self, intent: Json, deadline: float) -> None:
        """Raises SourceError; a refusal of the database means that it was rolled back."""
        database = require(self._tools.world.settings.database)
        rollback = PreparedRollback(self._step.version, self._step.checksum)
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await apply_rollback(database.admin_url or database.url, rollback, head=str(intent["head"]))
        except OperatorError as error:
            raise SourceError(SOURCE, error.why) from None
        except TimeoutError:
            raise SourceError(SOURCE, "the rollback did not end in time", outcome_unknown=True) from None
        except SourceError as error:
            error.outcome_unknown = True  # the answer to the commit may be what was lost
            raise

    async def read_back(self, intent: Json) -> ReadBack:
        status = await self._tools.world.migrations()
        if isinstance(status, Unavailable):
            return Unseen(f"{status.source}: {status.why}")
        if status.head == intent["head"]:
            return NotThere(f"the schema still stands at {status.head}")
        return Done(f"the schema stands at {status.head or 'nothing'}", {"head": status.head})
