"""Writes the number of held-back audit rows after a person's flood ends; while it continues, the next row has it.

Every replica does this, because each counts for itself.
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
PEOPLE_AT_ONCE = 50  # the rest follows a minute later
ACT_LIMIT, ACTS_LIMIT = 60, 400  # characters
TIMEOUT_S = 3.0  # the shutdown waits for this


class AuditFloods:
    """Task that writes the counts that `AuditLimit` held back; one per process."""

    def __init__(self, database: Database, audit_limit: AuditLimit, *, every_s: float = AUDIT_EVERY_S) -> None:
        self._database = database
        self._audit_limit = audit_limit
        self._every_s = every_s

    async def run(self) -> None:
        """Write every `every_s` seconds until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.write()

    async def write(self, *, at_once: bool = False) -> None:
        """Append one audit row per person. `at_once`: include the current minute, because the process ends."""
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
    """ "silence 500, run.approve 3 12": acts with their counts, most frequent first."""
    ordered = sorted(acts.items(), key=lambda one: -one[1])
    return cut(", ".join(f"{cut(act, ACT_LIMIT)} {count}" for act, count in ordered), ACTS_LIMIT)
