"""Count completed and failed jobs per minute (runbook, "Worker Scaling", step 3)

When:   while scaling, and whenever the queue grows.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from playbooks.model import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.jobs import MinuteThroughput
from services.domain.text import counted

MOST_ROWS = 60  # in a table that a person reads; longer windows get longer rows

FAILED = NextStep("Failed jobs", "failed-jobs")
QUEUE = NextStep("Look at the queue", "queue")


@dataclass(frozen=True)
class Throughput:
    """The jobs that ended within the window. `rows`, the newest first, are `row_minutes` long; rows without an ended
    job are left out."""

    window: timedelta
    completed: int
    failed: int
    row_minutes: int
    rows: tuple[MinuteThroughput, ...]

    @property
    def completed_per_minute(self) -> float:
        return self.completed / max(self.window.total_seconds() / 60, 1)


def summarise(minutes: Sequence[MinuteThroughput], window: timedelta) -> Throughput:
    """Totals, and minutes joined to longer rows if the window has more than `MOST_ROWS` of them."""
    row_minutes = max(-(-int(window.total_seconds()) // (60 * MOST_ROWS)), 1)
    joined: dict[datetime, MinuteThroughput] = {}
    for one in minutes:
        start = _row_start(one.minute, row_minutes)
        so_far = joined.get(start, MinuteThroughput(start, 0, 0))
        joined[start] = MinuteThroughput(start, so_far.completed + one.completed, so_far.failed + one.failed)
    rows = tuple(joined[start] for start in sorted(joined, reverse=True))
    completed, failed = sum(row.completed for row in rows), sum(row.failed for row in rows)
    return Throughput(window, completed, failed, row_minutes, rows)


def check(throughput: Throughput | Unavailable) -> list[Finding]:
    """One finding: `queue.throughput`. More failures than successes fail, a single failure is a warning."""
    name = "queue.throughput"
    if isinstance(throughput, Unavailable):
        return [Finding(name, Status.UNKNOWN, "throughput unknown", throughput.why, next_step=QUEUE)]
    completed, failed = throughput.completed, throughput.failed
    status = Status.FAIL if failed > completed else Status.WARN if failed else Status.OK
    title = f"{counted(completed, 'job')} completed, {failed} failed"
    detail = f"{_rate(throughput.completed_per_minute)} completed per minute"
    evidence = {"completed": completed, "failed": failed}
    return [Finding(name, status, title, detail, evidence=evidence, next_step=FAILED if failed else None)]


def _rate(per_minute: float) -> str:
    """One digit after the point; a rate that would round to 0 is not shown as 0."""
    return "under 0.1" if 0 < per_minute < 0.05 else f"{per_minute:.1f}"


def _row_start(minute: datetime, row_minutes: int) -> datetime:
    length = row_minutes * 60
    return datetime.fromtimestamp(minute.timestamp() // length * length, tz=minute.tzinfo)
