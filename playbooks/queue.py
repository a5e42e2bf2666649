"""Show pending, stuck and blocked jobs (runbook, "Log Queries", "Worker Scaling")

When:   the queue grows, or workers seem idle.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from playbooks.checks import queue
from playbooks.model import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.jobs import LockWait, PendingJob, QueueSnapshot, RunningJob
from services.domain.systems import System
from services.domain.text import age, counted
from services.domain.thresholds import StaleLimits

LONG_LOCK_WAIT_S = 5.0  # our statements take milliseconds
ROWS_OF_A_STATE = 20
WORKERS = NextStep("Look at the workers", "heartbeats")


class JobState(StrEnum):
    """The state of a job; ORPHANED: in processing, but its worker does not beat."""

    ORPHANED = "orphaned"
    WAITING = "waiting"
    RUNNING = "running"


@dataclass(frozen=True)
class JobRow:
    """One job for people. `since`: the time at which it became due or was locked. `worker` holds the job's lock."""

    id: str
    job_type: str
    state: JobState
    since: datetime
    attempts: int
    worker: str | None = None


@dataclass(frozen=True)
class Facts:
    """`all_visible` is False if row-level security may hide rows from the role that read them."""

    stale_after: StaleLimits
    queue: QueueSnapshot | Unavailable
    waiting: Sequence[PendingJob] | Unavailable
    running: Sequence[RunningJob] | Unavailable
    lock_waits: Sequence[LockWait] | Unavailable
    all_visible: bool = True
    system: System = field(kw_only=True)
    unclaimed: Mapping[str, datetime] | Unavailable = field(default_factory=dict)


def check(facts: Facts) -> list[Finding]:
    """Findings about the backlog, failures, orphans, job types that no worker claims, and lock waits."""
    findings = queue.check(queue.Facts(facts.queue, facts.all_visible))
    if not isinstance(facts.queue, Unavailable):
        findings.append(queue.check_unclaimed(facts.unclaimed, facts.queue.as_of))
    return [*map(_point_to_workers, findings), _check_locks(facts.lock_waits)]


def list_jobs(facts: Facts) -> list[JobRow]:
    """Orphaned, waiting and running jobs, in this order, the oldest first; kinds that could not be read are empty."""
    running = list(_running_rows(facts))
    groups = (
        [row for row in running if row.state is JobState.ORPHANED],
        list(_waiting_rows(facts)),
        [row for row in running if row.state is JobState.RUNNING],
    )
    return [row for group in groups for row in group[:ROWS_OF_A_STATE]]


def _point_to_workers(finding: Finding) -> Finding:
    """Replace a next step to this command with the workers, which cause a backlog or an orphan."""
    return replace(finding, next_step=WORKERS) if finding.next_step == queue.QUEUE else finding


def _running_rows(facts: Facts) -> Iterator[JobRow]:
    if isinstance(facts.running, Unavailable) or isinstance(facts.queue, Unavailable):
        return
    for job in facts.running:
        limit = facts.stale_after.of(_worker_type(facts.system, job.job_type))
        is_beating = job.last_heartbeat_at and facts.queue.as_of - job.last_heartbeat_at <= limit
        state = JobState.RUNNING if is_beating else JobState.ORPHANED
        yield JobRow(job.id, job.job_type, state, job.locked_at, job.attempts, job.locked_by)


def _worker_type(system: System, job_type: str) -> str:
    """The type of the worker that claims this job type; "" if no worker does."""
    service = system.service_of_job(job_type)
    return service.worker_type or "" if service else ""


def _waiting_rows(facts: Facts) -> Iterator[JobRow]:
    if not isinstance(facts.waiting, Unavailable):
        for job in facts.waiting:
            yield JobRow(job.id, job.job_type, JobState.WAITING, job.waiting_since, job.attempts)


def _check_locks(waits: Sequence[LockWait] | Unavailable) -> Finding:
    if isinstance(waits, Unavailable):
        return Finding("queue.locks", Status.UNKNOWN, "lock waits unknown", waits.why)
    evidence = {"waiting": len(waits), "longest_s": max((round(wait.waiting_s, 1) for wait in waits), default=0.0)}
    if not waits:
        return Finding("queue.locks", Status.OK, "no session is waiting for a lock", evidence=evidence)
    longest = max(waits, key=lambda wait: wait.waiting_s)
    status = Status.WARN if longest.waiting_s > LONG_LOCK_WAIT_S else Status.OK
    return Finding(
        "queue.locks",
        status,
        f"{counted(len(waits), 'session')} waiting for a lock",
        _describe(longest),
        None,
        evidence,
    )


def _describe(wait: LockWait) -> str:
    waited = age(timedelta(seconds=wait.waiting_s))
    blockers = ", ".join(map(str, wait.blocked_by)) or "no session any more"
    return (
        f"longest {waited}: {wait.application_name} for {wait.relation or 'a transaction'}, blocked by pid {blockers}"
    )
