"""The job queue `ops.job_queue` and worker heartbeats. The limits of checks are in `services.domain.thresholds`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.domain.status import Status
from services.domain.systems import RUNBOOK, HeartbeatWords
from services.domain.thresholds import StaleLimits

BEAT_EVERY = timedelta(seconds=30)  # by default
MISSED = 2.5 * BEAT_EVERY  # just over two heartbeats: the age at which a verify step counts a worker as gone


@dataclass(frozen=True)
class Heartbeat:
    """One row of `ops.worker_heartbeats`. `status` is one of the operated system's `words`.

    `worker_type` is text, not `WorkerType`: the table may hold a type that this version does not know.
    """

    worker_id: str
    worker_type: str
    status: str
    last_heartbeat_at: datetime
    started_at: datetime | None = None
    git_sha: str | None = None
    current_job_id: str | None = None
    current_job_started_at: datetime | None = None
    database_ok: bool | None = None
    words: HeartbeatWords = RUNBOOK.heartbeats

    @property
    def is_stopped(self) -> bool:
        """True if the worker reported its end: its process is gone, so it isn't missing."""
        return self.status in self.words.ended

    @property
    def trouble(self) -> Status | None:
        """The severity of a problem that a living worker reports of itself; None if it reports none."""
        if self.status not in self.words.warning:
            return None
        return Status.FAIL if self.status == "error" else Status.WARN

    def age(self, now: datetime) -> timedelta:
        """Time since the last beat, never negative (clocks may differ by a little)."""
        return max(now - self.last_heartbeat_at, timedelta())

    def is_beating(self, now: datetime, stale_after: StaleLimits) -> bool:
        """True if the worker has not stopped and its last beat is not older than the limit for its type."""
        return not self.is_stopped and self.age(now) <= stale_after.of(self.worker_type)

    def stale_at(self, stale_after: StaleLimits) -> datetime:
        """The last moment at which this beat still counts."""
        return self.last_heartbeat_at + stale_after.of(self.worker_type)


# The count stops here, so that a large backlog makes no read expensive: a million would lead to the same decision.
PENDING_COUNTED_TO = 10_000


def pending_words(pending: int) -> str:
    """The number of pending jobs for people: "318", or "more than 10,000" if the count stopped."""
    return str(pending) if pending <= PENDING_COUNTED_TO else f"more than {PENDING_COUNTED_TO:,}"


@dataclass(frozen=True)
class HeartbeatReading:
    """Heartbeats at one moment of the database's clock. `all_visible`: no row-level security hides rows from us."""

    as_of: datetime
    rows: tuple[Heartbeat, ...]
    all_visible: bool = True


@dataclass(frozen=True)
class QueueSnapshot:
    """The queue at `as_of` (the database's clock). Ages come from `oldest_pending_at`, None if no job is pending.

    `pending` is exact up to `PENDING_COUNTED_TO`, and one more than that if more are pending: see `pending_words`.
    `orphaned`: jobs in `processing` whose worker is not beating any more, or that name no worker.
    """

    as_of: datetime
    pending: int
    oldest_pending_at: datetime | None
    processing: int
    failed_last_hour: int
    orphaned: int


@dataclass(frozen=True)
class FailedJob:
    """One failed job. `error_message` is raw and may hold personal data: mask it (`services.domain.masking`)."""

    id: str
    job_type: str
    attempts: int
    error_message: str | None
    updated_at: datetime


@dataclass(frozen=True)
class MinuteThroughput:
    """Jobs that ended in one minute."""

    minute: datetime
    completed: int
    failed: int


@dataclass(frozen=True)
class LockWait:
    """A session that waits for a lock (from `pg_locks`). Ages in seconds; query text is never shown."""

    pid: int
    application_name: str
    mode: str
    relation: str | None
    waiting_s: float
    blocked_by: tuple[int, ...] = ()


@dataclass(frozen=True)
class PendingJob:
    """A job that is due. `waiting_since` is when it became due, later than `created_at` after a retry."""

    id: str
    job_type: str
    attempts: int
    waiting_since: datetime
    created_at: datetime


@dataclass(frozen=True)
class RunningJob:
    """A job in `processing`. `last_heartbeat_at` is its worker's; None if no such worker is known."""

    id: str
    job_type: str
    attempts: int
    locked_at: datetime
    locked_by: str | None
    last_heartbeat_at: datetime | None


@dataclass(frozen=True)
class JobOutcomes:
    """The numbers of jobs that completed and failed in some span of time."""

    completed: int
    failed: int

    @property
    def ended(self) -> int:
        return self.completed + self.failed

    @property
    def failed_share(self) -> float:
        """The share of ended jobs that failed, 0 to 1; 0 if none ended."""
        return self.failed / self.ended if self.ended else 0.0


@dataclass(frozen=True)
class Job:
    """One job in any state. `status` is `pending`, `processing`, `completed` or `failed`."""

    id: str
    job_type: str
    status: str
    attempts: int
    max_attempts: int
    updated_at: datetime
