"""Hands back the jobs that are this worker's without its knowing: it claimed them, and the answer was lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack

from services.job_queue.heart import WorkerState
from services.postgres.pool import Database
from services.postgres.worker import Ending, finish_and_claim_jobs, list_own_jobs

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0  # milliseconds in practice


class Strays:
    """Nobody else would miss such a job while this worker beats.

    A lane holds `claiming` from before it claims until the jobs are in the worker's state: what another lane has just
    claimed, and has not been told of yet, is no stray.
    """

    def __init__(self, database: Database, state: WorkerState, *, worker_id: str, lanes: int) -> None:
        self.claiming = asyncio.Semaphore(lanes)
        self._database = database
        self._state = state
        self._worker_id = worker_id
        self._lanes = lanes
        self._looking = asyncio.Lock()  # two that each waited for the other's place would wait for ever

    async def hand_back(self) -> None:
        """Between the claims: waits for those under way, and keeps the next ones waiting. Raises SourceError."""
        async with self._looking, AsyncExitStack() as held:
            for _ in range(self._lanes):
                await held.enter_async_context(self.claiming)
            known = self._state.claims
            async with self._database.read(timeout_s=TIMEOUT_S) as conn:
                owned = await list_own_jobs(conn, worker_id=self._worker_id)
            strays = [Ending(job_id, "pending", claim=claim) for job_id, claim in owned if (job_id, claim) not in known]
            if strays:
                await self._hand_back(strays)

    async def _hand_back(self, strays: Sequence[Ending]) -> None:
        statuses, _ = await finish_and_claim_jobs(
            self._database, endings=strays, worker_id=self._worker_id, job_types=(), limit=0, timeout_s=TIMEOUT_S
        )
        for job_id, status in statuses.items():
            log.info("update_job_status: job %s -> %s", job_id, status)
