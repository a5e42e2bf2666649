"""Assesses every judgment of one batch and stores it, then has memos written for its cases."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from services.domain.services import WorkerType
from services.enforcement_worker.figures import store_figures
from services.job_queue.jobs import Result, batch_of
from services.postgres.enforcement import (
    BEFORE_ALL,
    hold_payments,
    list_judgments,
    read_enforced_batch,
)
from services.postgres.pool import Database
from services.postgres.worker import ClaimedJob

log = logging.getLogger(__name__)

TIMEOUT_S = 60.0  # one page

WriteMemos = Callable[[Database, str], Awaitable[Mapping[str, Any]]]
"""Has memos written for the cases of a batch, as far as that is possible; what came of it, for the job's result."""


async def assess_batch(job: ClaimedJob, database: Database, *, write_memos: WriteMemos) -> Result:
    """Handle one `enforcement_next_step` job, whose payload is `{"batch_id": …}`.

    Repeating it on the same day changes nothing. The figures are stored before anybody is asked for a memo, and stay
    whatever becomes of that.
    """
    batch_id = batch_of(job)
    log.info("[%s] Processing batch: %s", WorkerType.ENFORCEMENT, batch_id)
    async with database.read(timeout_s=TIMEOUT_S) as conn:
        batch = await read_enforced_batch(conn, batch_id=batch_id)
    if batch.is_golden_path:
        return {"batch_id": batch_id, "judgments": 0, "note": "a golden-path batch is not enforced"}
    judgments = await _assess_all(database, batch_id, as_of=batch.today)
    memos = await write_memos(database, batch_id)
    return {"batch_id": batch_id, "as_of": batch.today.isoformat(), "judgments": judgments, "memos": dict(memos)}


async def _assess_all(database: Database, batch_id: str, *, as_of: date) -> int:
    last, assessed, known = BEFORE_ALL, 0, frozenset[UUID]()  # a million judgments have some thousand profiles
    while True:
        async with database.transaction(timeout_s=TIMEOUT_S) as conn:
            await hold_payments(conn)
            page = await list_judgments(conn, batch_id=batch_id, after=last)
            if not page:
                return assessed
            wanted = await store_figures(conn, page, as_of=as_of, known=known)
        last, assessed = page[-1].id, assessed + len(page)
        known |= wanted
