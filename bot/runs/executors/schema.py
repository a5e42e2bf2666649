"""Undoes the newest migration with its prepared file, in one transaction of the role that may."""

from __future__ import annotations

import asyncio

from bot.runs.tools import Act, Tools
from bot.runs.verdicts import Before, Differs, Done, Json, NotThere, ReadBack, Ready, Unseen
from bot.settings import require
from playbooks._steps import ApplySqlFile
from playbooks.rollback_db import ROLLBACK_URL
from services.domain.errors import OperatorError, SourceError, Unavailable
from services.domain.migrations import PreparedRollback
from services.postgres.rollbacks import TIMEOUT_S, AnotherHeadError, apply_rollback

SOURCE = "database"


class ApplySql(Act):
    """May take longer than a lease lasts, which is renewed meanwhile: what fences it is the schema's head, compared
    inside the transaction and under the lock of migrations, so that a second try finds nothing to undo."""

    def __init__(self, tools: Tools, step: ApplySqlFile) -> None:
        self._tools = tools
        self._step = step

    async def before(self) -> Before:
        status = await self._tools.world.migrations()
        if isinstance(status, Unavailable):
            return Unseen(str(status))
        if status.head != self._step.head:
            return Differs(f"the schema stands at {status.head or 'nothing'}, not at {self._step.head}")
        return Ready({"head": self._step.head})

    async def send(self, intent: Json, _deadline: float) -> Done | None:
        """Raises SourceError; unless its outcome is unknown, nothing was changed."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._apply(str(intent["head"]))
        except AnotherHeadError as error:
            return await self._done_before(error)
        except OperatorError as error:
            raise SourceError(SOURCE, error.why) from None
        except TimeoutError:
            raise SourceError(SOURCE, "the rollback did not end in time", outcome_unknown=True) from None
        return None

    async def read_back(self, intent: Json) -> ReadBack:
        status = await self._tools.world.migrations()
        if isinstance(status, Unavailable):
            return Unseen(str(status))
        if any(one.version == intent["head"] for one in status.applied):
            return NotThere(f"the schema still stands at {status.head}")
        return Done(f"the schema stands at {status.head or 'nothing'}", {"head": status.head})

    async def _apply(self, head: str) -> None:
        settings = self._tools.world.settings
        database, directory = require(settings.database), settings.changing.rollbacks
        rollback = PreparedRollback(self._step.version, self._step.checksum)
        if database.rollback_url is None:
            raise SourceError(SOURCE, f"{ROLLBACK_URL} is not set")
        await apply_rollback(database.rollback_url, rollback, head=head, directory=directory)

    async def _done_before(self, error: AnotherHeadError) -> Done:
        """By a process that was taken for dead, and finished while this one waited for its lock."""
        seen = await self.read_back({"head": self._step.head})
        if isinstance(seen, Done):
            return seen
        raise SourceError(SOURCE, error.why, outcome_unknown=isinstance(seen, Unseen)) from None
