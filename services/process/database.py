"""Says in the log whether the database can be reached, in the words that the runbook searches for."""

from __future__ import annotations

import asyncio
import logging

from services.domain.errors import SourceError
from services.postgres.pool import Database

log = logging.getLogger(__name__)

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 15.0  # an outage of minutes ends within this, and the server is not hammered meanwhile

# The runbook's patterns for our words.
_RUNBOOK_WORDS = {
    "password refused": "FATAL: password authentication failed for user",
    "server not reachable": "Connection refused",
}


def retry_delay_s(failures: int) -> float:
    """How long to wait after the given number of failures in a row: doubling, with a limit. 1 is the first."""
    return min(FIRST_RETRY_S * 2.0 ** min(failures - 1, 10), LONGEST_RETRY_S)


async def await_database(database: Database, *, pool_size: int) -> None:
    """Return when the database answers; until then retry, and log each new reason once."""
    failures, told = 0, ""
    while True:
        try:
            await database.open()
        except SourceError as error:
            failures += 1
            if error.why != told:
                _tell(error)
                told = error.why
            await asyncio.sleep(retry_delay_s(failures))
        else:
            log.info("PostgreSQL connection established")
            log.info("Pool size: %d, max overflow: 0", pool_size)
            return


def _tell(error: SourceError) -> None:
    log.error("PostgreSQL connection failed: %s", _RUNBOOK_WORDS.get(error.why, error.why))
