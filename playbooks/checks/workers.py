"""Finds problems of workers that beat: a worker may beat and still be stuck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from playbooks.model import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat
from services.domain.systems import System
from services.domain.text import lasting
from services.domain.thresholds import SLOW_START_AFTER, STUCK_AFTER, StaleLimits


@dataclass(frozen=True)
class Facts:
    """`as_of` is the database's clock. `stored`: the text is read later, so it has clock times."""

    as_of: datetime
    heartbeats: Sequence[Heartbeat] | Unavailable
    stale_after: StaleLimits
    stuck_after: timedelta = STUCK_AFTER
    slow_start_after: timedelta = SLOW_START_AFTER
    stored: bool = False
    system: System = field(kw_only=True)


def check(facts: Facts) -> list[Finding]:
    """One finding for each beating worker with a problem, none for the others.

    Nothing for heartbeats that cannot be read: `checks.heartbeats` reports that.
    """
    if isinstance(facts.heartbeats, Unavailable):
        return []
    beating = [beat for beat in facts.heartbeats if beat.is_beating(facts.as_of, facts.stale_after)]
    findings = [_check_worker(beat, facts) for beat in beating]
    return [finding for finding in findings if finding is not None]


def job_age(beat: Heartbeat, now: datetime) -> timedelta | None:
    """The time that the worker has spent on its current job; None without a job, or if it does not report its start."""
    if beat.current_job_id is None or beat.current_job_started_at is None:
        return None
    return max(now - beat.current_job_started_at, timedelta())


def is_stuck(beat: Heartbeat, now: datetime) -> bool:
    """True if the worker has spent too long on one job."""
    busy_for = job_age(beat, now)
    return busy_for is not None and busy_for > STUCK_AFTER


def _check_worker(beat: Heartbeat, facts: Facts) -> Finding | None:
    problem = _problem(beat, facts)
    service = facts.system.service_of_worker(beat.worker_type)
    if problem is None or service is None:
        return None
    status, words, detail = problem
    evidence = {
        "worker_id": beat.worker_id,
        "status": beat.status,
        "current_job_id": beat.current_job_id,
        "database_ok": beat.database_ok,
    }
    step = NextStep(f"Logs of {service.short}", f"logs {service.short}")
    name = f"workers.{service.short}"
    return Finding(name, status, f"{service.short} {words}", f"{beat.worker_id}: {detail}", service, evidence, step)


def _problem(beat: Heartbeat, facts: Facts) -> tuple[Status, str, str] | None:
    now = facts.as_of
    busy_for = job_age(beat, now)
    if beat.trouble is not None:
        words = "an error" if beat.status == "error" else f"status {beat.status}"
        return beat.trouble, f"worker reports {words}", f"its heartbeat has status {beat.status}"
    if beat.database_ok is False:
        return Status.FAIL, "worker does not reach the database", "its last probe failed"
    if busy_for is not None and busy_for > facts.stuck_after:
        return (
            Status.WARN,
            f"worker on one job {lasting(now - busy_for, now, stored=facts.stored)}",
            f"job {str(beat.current_job_id)[:8]}",
        )
    if beat.status == "starting" and beat.started_at and now - beat.started_at > facts.slow_start_after:
        return (
            Status.WARN,
            "worker does not finish starting",
            f"starting {lasting(beat.started_at, now, stored=facts.stored)}",
        )
    return None
