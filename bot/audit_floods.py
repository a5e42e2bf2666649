"""Writes how many audit rows were left out once a person stops; a person who continues has it in the next row.

Every replica does, because each counts for itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from bot.admission import AUDIT_EVERY_S, AuditLimit
from bot.views.text import cut
from services.clients.postgres.audit import append_audit
from services.clients.postgres.pool import Database
from services.domain.errors import SourceError

logger = logging.getLogger(__name__)

EVENT = "audit.held_back"
PEOPLE_AT_ONCE = 50  # the others' turn is a minute later
ACT_LIMIT, ACTS_LIMIT = 60, 400  # characters
TIMEOUT_S = 3.0  # a stop waits behind this


class AuditFloods:
    """One for the process."""

    def __init__(self, database: Database, audit_limit: AuditLimit, *, every_s: float = AUDIT_EVERY_S) -> None:
        self._database = database
        self._audit_limit = audit_limit
        self._every_s = every_s

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.write()

    async def write(self, *, at_once: bool = False) -> None:
        """One row per person. `at_once`: of the minute that is not over, too, because the process ends."""
        held_back = self._audit_limit.take_held_back(most=PEOPLE_AT_ONCE, at_once=at_once)
        if not held_back:
            return
        try:
            async with self._database.transaction(timeout_s=TIMEOUT_S) as conn:
                for who, acts in held_back.items():
                    details = {"times": sum(acts.values()), "acts": _words(acts)}
                    await append_audit(conn, actor=who, event=EVENT, run_id=None, details=details)
        except SourceError as error:
            self._audit_limit.give_back(held_back)
            logger.warning("held-back audit rows were not written: %s", error.why)


def _words(acts: Mapping[str, int]) -> str:
    """ "silence 500, run.approve 3 12": the most frequent first."""
    ordered = sorted(acts.items(), key=lambda one: -one[1])
    return cut(", ".join(f"{cut(act, ACT_LIMIT)} {count}" for act, count in ordered), ACTS_LIMIT)
