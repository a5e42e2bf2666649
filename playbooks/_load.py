"""What the services do at the moment, in words and numbers: shown with a plan, never hashed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.domain.errors import Unavailable
from services.domain.heartbeats import Heartbeat
from services.domain.jobs import QueueSnapshot, RunningJob, pending_words
from services.domain.services import Service
from services.domain.words import counted, dated_time

JOBS_NAMED = 5


@dataclass(frozen=True)
class Load:
    """The queue and who works on it. `stale_after`: the age at which a beat no longer counts.

    `all_visible` is False when row-level security may hide rows from the role that read them.
    """

    stale_after: timedelta
    queue: QueueSnapshot | Unavailable
    running: Sequence[RunningJob] | Unavailable
    beats: Sequence[Heartbeat] | Unavailable
    all_visible: bool = True

    @property
    def as_of(self) -> datetime | None:
        """The database's clock at the reading; None when it did not answer."""
        return None if isinstance(self.queue, Unavailable) else self.queue.as_of

    def workers(self, services: Iterable[Service]) -> list[Heartbeat]:
        """The workers of these services that beat; none when that cannot be seen."""
        if isinstance(self.beats, Unavailable) or self.as_of is None:
            return []
        types = {service.worker_type for service in services} - {None}
        now = self.as_of
        return [beat for beat in self.beats if beat.worker_type in types and beat.is_beating(now, self.stale_after)]

    def held(self, services: Iterable[Service]) -> list[RunningJob]:
        """The jobs that living workers of these services work on, the longest running first."""
        if isinstance(self.running, Unavailable):
            return []
        ids = {beat.worker_id for beat in self.workers(services)}
        return sorted((job for job in self.running if job.locked_by in ids), key=lambda job: job.locked_at)


def stopping(load: Load, services: Sequence[Service], verb: str = "stops") -> list[str]:
    """What is interrupted when the workers of these services end: "stops 2 workers holding 7 jobs, oldest since
    02:58 UTC; 318 pending", then the jobs by name. What cannot be seen is said to be unknown."""
    if all(service.worker_type is None for service in services):
        return []
    if isinstance(load.beats, Unavailable) or load.as_of is None:
        return [f"{verb} an unknown number of workers"]
    if not load.workers(services):
        return [f"no worker of {' and '.join(service.short for service in services if service.worker_type)} is alive"]
    jobs = load.held(services)
    line = f"{verb} {counted(len(load.workers(services)), 'worker')}{_holding(load, jobs, load.as_of)}{_waiting(load)}"
    return [line, *_named(jobs)]


def backlog(load: Load) -> list[str]:
    """How much waits: "318 pending, oldest since 02:53 UTC"."""
    queue = load.queue
    if isinstance(queue, Unavailable):
        return []
    oldest = f", oldest since {dated_time(queue.oldest_pending_at, queue.as_of)}" if queue.oldest_pending_at else ""
    known = "" if load.all_visible else "at least "
    return [f"{known}{pending_words(queue.pending)} pending{oldest}, {queue.processing} processing"]


def doubts(load: Load) -> list[str]:
    """What cannot be seen, one line a source."""
    missing = {fact for fact in (load.queue, load.running, load.beats) if isinstance(fact, Unavailable)}
    lines = sorted(f"the {fact.source} does not tell what runs: {fact.why}" for fact in missing)
    if not load.all_visible:
        lines.append("row-level security may hide jobs and workers: the real numbers may be higher")
    return lines


def _holding(load: Load, jobs: Sequence[RunningJob], now: datetime) -> str:
    if isinstance(load.running, Unavailable):
        return ", nobody knows with which jobs"
    if not jobs:
        return " holding no job"
    return f" holding {counted(len(jobs), 'job')}, oldest since {dated_time(jobs[0].locked_at, now)}"


def _waiting(load: Load) -> str:
    if isinstance(load.queue, Unavailable):
        return ""
    return f"; {'' if load.all_visible else 'at least '}{pending_words(load.queue.pending)} pending"


def _named(jobs: Sequence[RunningJob]) -> list[str]:
    if not jobs:
        return []
    more = f" and {len(jobs) - JOBS_NAMED} more" if len(jobs) > JOBS_NAMED else ""
    return ["running jobs: " + ", ".join(f"{job.id} ({job.job_type})" for job in jobs[:JOBS_NAMED]) + more]
