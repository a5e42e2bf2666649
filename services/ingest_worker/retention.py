"""Deletes finished jobs, intake events and raw rows after their retention period, in small batches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from pydantic import NonNegativeInt

from services.clients.postgres.intake import prune_intake_logs, prune_jobs, prune_raw_rows
from services.clients.postgres.pool import Connection, Database
from services.job_queue.settings import WorkerSettings


class IngestSettings(WorkerSettings):
    """Ages in days after which the worker deletes what nobody needs any more; 0 keeps it for good."""

    completed_jobs_keep_days: NonNegativeInt = 90
    failed_jobs_keep_days: NonNegativeInt = 365  # somebody may still put them back
    intake_log_keep_days: NonNegativeInt = 365
    raw_rows_keep_days: NonNegativeInt = 0  # the originals as uploaded: only who set an age has them deleted


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
