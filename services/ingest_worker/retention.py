"""Deletes finished jobs, events of the intake and rows as uploaded once they are old enough: a few at a time, so that
nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from services.ingest_worker.settings import IngestSettings
from services.postgres.pool import Connection, Database
from services.postgres.pruning import prune_intake_logs, prune_jobs, prune_raw_rows

log = logging.getLogger(__name__)

EVERY_S = 3600.0
AT_ONCE = 1000
MOST_A_ROUND = 100_000  # what is left waits for the next hour
PAUSE_S = 0.05  # between two transactions

Prune = Callable[[Connection], Awaitable[int]]


async def prune_old(database: Database, *, settings: IngestSettings) -> None:
    """One round over all that has an age. Raises SourceError."""
    completed, failed = _age(settings.completed_jobs_keep_days), _age(settings.failed_jobs_keep_days)
    log_age, raw_age = _age(settings.intake_log_keep_days), _age(settings.raw_rows_keep_days)
    deleted = {
        "jobs": await _prune(
            database, lambda conn: prune_jobs(conn, completed_for=completed, failed_for=failed, limit=AT_ONCE)
        ),
        "events": await _prune(database, lambda conn: prune_intake_logs(conn, older_than=log_age, limit=AT_ONCE)),
        "raw rows": await _prune(database, lambda conn: prune_raw_rows(conn, older_than=raw_age, limit=AT_ONCE)),
    }
    if any(deleted.values()):
        log.info("retention: deleted %s", ", ".join(f"{count} {name}" for name, count in deleted.items() if count))


async def _prune(database: Database, prune: Prune) -> int:
    total = 0
    while total < MOST_A_ROUND:
        async with database.transaction() as conn:
            count = await prune(conn)
        total += count
        if count < AT_ONCE:
            break
        await asyncio.sleep(PAUSE_S)
    return total


def _age(days: int) -> timedelta | None:
    return timedelta(days=days) if days else None
