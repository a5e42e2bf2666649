"""Worker heartbeats and how old a beat may be (runbook, "Worker Heartbeat Check")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

BEAT_EVERY = timedelta(seconds=30)  # by default
MISSED = 2.5 * BEAT_EVERY  # two beats and a bit: gone, where somebody watches closely


@dataclass(frozen=True)
class Heartbeat:
    """One row of `ops.worker_heartbeats`. `status` is `starting`, `running`, `stopping`, `stopped` or `error`.

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

    @property
    def is_stopped(self) -> bool:
        """Whether the worker said goodbye: it ended in an orderly way and is not missed."""
        return self.status == "stopped"

    def age(self, now: datetime) -> timedelta:
        """Time since the last beat, never negative (clocks may disagree by a little)."""
        return max(now - self.last_heartbeat_at, timedelta())

    def is_beating(self, now: datetime, stale_after: timedelta) -> bool:
        """Whether the worker is alive: not stopped, and its last beat at most `stale_after` old."""
        return not self.is_stopped and self.age(now) <= stale_after

    def stale_at(self, stale_after: timedelta) -> datetime:
        """The moment until which this beat counts."""
        return self.last_heartbeat_at + stale_after
