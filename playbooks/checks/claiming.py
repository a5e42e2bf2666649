"""Do idle workers leave due jobs alone? (runbook, "Troubleshooting": workers not claiming jobs)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from playbooks._contract import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.heartbeats import Heartbeat
from services.domain.services import WORKERS, Service
from services.domain.thresholds import NOT_CLAIMED_AFTER
from services.domain.words import counted, lasting

STEP = NextStep("Look at the queue", "queue")


@dataclass(frozen=True)
class Facts:
    """`as_of` is the database's clock. `due`: since when the job that each service would claim next has been due.
    `stored`: what is said is read later, so with clock times.
    """

    as_of: datetime
    stale_after: timedelta
    heartbeats: Sequence[Heartbeat] | Unavailable
    due: Mapping[Service, datetime | Unavailable | None]
    stored: bool = False


def check(facts: Facts) -> list[Finding]:
    """One finding a worker service, `claiming.<service>`."""
    return [_check_service(facts, service) for service in WORKERS]


def _check_service(facts: Facts, service: Service) -> Finding:
    name, short, due = f"claiming.{service.short}", service.short, facts.due.get(service)
    missing = next((fact for fact in (due, facts.heartbeats) if isinstance(fact, Unavailable)), None)
    if missing is not None:
        title = f"not known whether {short} claims its jobs"
        return Finding(name, Status.UNKNOWN, title, missing.why, service, next_step=STEP)
    waited = facts.as_of - due if isinstance(due, datetime) else timedelta()
    idle = _idle(facts, service)
    if waited <= NOT_CLAIMED_AFTER or not idle:
        return Finding(name, Status.OK, f"{short} claims its jobs", "", service)
    evidence = {"due_s": round(waited.total_seconds()), "idle": idle}
    due_words = lasting(facts.as_of - waited, facts.as_of, stored=facts.stored)
    title = f"{short} does not claim a job that has been due {due_words}"
    return Finding(name, Status.FAIL, title, f"{counted(len(idle), 'worker')} idle", service, evidence, STEP)


def _idle(facts: Facts, service: Service) -> list[str]:
    """Workers that beat, have finished their start and work on nothing."""
    beats = () if isinstance(facts.heartbeats, Unavailable) else facts.heartbeats
    return [
        beat.worker_id
        for beat in beats
        if beat.worker_type == service.worker_type
        and beat.is_beating(facts.as_of, facts.stale_after)
        and beat.status == "running"
        and beat.current_job_id is None
    ]
