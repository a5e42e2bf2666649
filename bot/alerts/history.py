"""Records the evaluator's latest snapshot once per minute, for charts. It reads no source itself. Leader only."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import TypeVar

from bot.alerts.snapshot import Snapshot
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from playbooks.checks.outcomes import Usual
from services.clients.postgres.history import record_history, sum_up_hour
from services.clients.postgres.pool import Database
from services.domain.errors import Unavailable
from services.domain.history import DATABASE, HistoryRecord, WorkerState
from services.domain.jobs import Heartbeat
from services.domain.usage import Usage

EVERY_S = 60.0
LATELY_MIN = 10  # the span of `Usual.lately`
T = TypeVar("T")
R = TypeVar("R")

HOURS_AT_ONCE = 24  # after an upgrade there may be a month of them
SUMMED_AFTER = timedelta(minutes=2)  # after the end of an hour, so that its last minute is stored
MOST_WORKERS = 20  # a row stays small; the newest heartbeats are kept


class HistoryRecorder(PeriodicTask):
    """Records the history. `latest` returns the evaluator's last snapshot; None before its first tick."""

    name = "history"
    interval_s = retry_s = EVERY_S
    first_after_s = 5.0  # after the evaluator's first tick

    def __init__(self, database: Database, latest: Callable[[], Snapshot | None]) -> None:
        super().__init__()
        self._database = database
        self._latest = latest
        self._summed_in: datetime | None = None  # the hour in which all earlier ones were summed up

    async def tick(self, fence: Fence) -> None:
        snapshot = self._latest()
        if snapshot is None:
            return
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            await record_history(conn, record_of(snapshot))
        hour = (snapshot.now - SUMMED_AFTER).replace(minute=0, second=0, microsecond=0)
        if hour != self._summed_in and await self._sum_up(fence, snapshot.now):
            self._summed_in = hour

    async def _sum_up(self, fence: Fence, now: datetime) -> bool:
        """Sum up past hours; True if none is left."""
        for _ in range(HOURS_AT_ONCE):
            async with self._database.transaction() as conn:
                await fence.lock(conn)
                if await sum_up_hour(conn, now=now) is None:
                    return True
        return False


def record_of(snapshot: Snapshot) -> HistoryRecord:
    """Extract the values that the history keeps."""
    outcomes = _outcomes(snapshot)
    queue = snapshot.work.queue if snapshot.work and snapshot.all_visible else None
    slow = snapshot.slow_reads
    return HistoryRecord(
        at=snapshot.now,
        pending=_known(queue, lambda found: found.pending),
        completed=None if outcomes is None else outcomes.lately.completed / LATELY_MIN,
        failed=None if outcomes is None else outcomes.lately.failed / LATELY_MIN,
        api_ms=_known(snapshot.api, lambda health: health.elapsed_ms),
        connections=_known(slow.connections if slow else None, lambda use: use.used),
        database_gb=_known(slow.database_gb if slow else None, lambda size: size),
        workers=_workers(snapshot) if snapshot.all_visible else None,
        usage=_usage(snapshot),
    )


def _usage(snapshot: Snapshot) -> dict[str, Usage] | None:
    """Usage per service, and of the database under `DATABASE`; None if neither is known."""
    services = _known(
        snapshot.usage,
        lambda usage: {service.value: used.current(snapshot.now).busiest for service, used in usage.items()},
    )
    database = _known(snapshot.database_usage, lambda used: {DATABASE: used})
    if services is None and database is None:
        return None
    return {name: _finite(used) for name, used in {**(services or {}), **(database or {})}.items()}


def _finite(usage: Usage) -> Usage:
    """Replace values that are not finite by None: JSON can't store them, and one would lose the whole minute."""
    values = asdict(usage)
    return replace(usage, **{name: None for name, value in values.items() if value and not math.isfinite(value)})


def _known(found: T | Unavailable | None, read: Callable[[T], R]) -> R | None:
    """Apply `read` to a known value; None if it is unknown."""
    return None if found is None or isinstance(found, Unavailable) else read(found)


def _outcomes(snapshot: Snapshot) -> Usual | None:
    found = snapshot.slow_reads.outcomes if snapshot.slow_reads else None
    return None if isinstance(found, Unavailable) else found


def _workers(snapshot: Snapshot) -> dict[str, tuple[str, WorkerState]]:
    newest = sorted(snapshot.heartbeats, key=lambda beat: beat.last_heartbeat_at, reverse=True)[:MOST_WORKERS]
    return {beat.worker_id: (beat.worker_type, _state(beat, snapshot)) for beat in newest}


def _state(beat: Heartbeat, snapshot: Snapshot) -> WorkerState:
    if beat.is_stopped:
        return WorkerState.ENDED
    if not beat.is_beating(snapshot.now, snapshot.stale_after):
        return WorkerState.STALE
    return WorkerState.WARNING if beat.trouble is not None else WorkerState.ALIVE
