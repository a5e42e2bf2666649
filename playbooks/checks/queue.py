"""Checks that the backlog is processed, no job is lost, and idle workers claim due jobs (runbook, "Log Queries")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from playbooks.model import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.jobs import PENDING_COUNTED_TO, Heartbeat, QueueSnapshot, pending_words
from services.domain.services import Service
from services.domain.systems import System
from services.domain.text import age, counted, dated_time, lasting
from services.domain.thresholds import BACKLOG_AFTER, MANY_FAILED, NOT_CLAIMED_AFTER, WAITS_LONG_AFTER, StaleLimits

STEP = NextStep("Look at the queue", "queue")
TYPES_NAMED = 5


@dataclass(frozen=True)
class ClaimingFacts:
    """`as_of` is the database's clock. `due`: the time at which the job that each service would claim next became due.
    `stored`: the text is read later, so it has clock times."""

    as_of: datetime
    stale_after: StaleLimits
    heartbeats: Sequence[Heartbeat] | Unavailable
    due: Mapping[Service, datetime | Unavailable | None]
    stored: bool = False
    system: System = field(kw_only=True)
    unclaimed: Mapping[str, datetime] | Unavailable = field(default_factory=dict)


def check_unclaimed(
    unclaimed: Mapping[str, datetime] | Unavailable, as_of: datetime | None, *, stored: bool = False
) -> Finding:
    """`queue.unclaimed`: due jobs of types that no worker of the system claims. `unclaimed`: `{type: due since}`."""
    name = "queue.unclaimed"
    if isinstance(unclaimed, Unavailable) or as_of is None:
        why = unclaimed.why if isinstance(unclaimed, Unavailable) else ""
        return Finding(name, Status.UNKNOWN, "whether a worker claims every job type is unknown", why, next_step=STEP)
    late = {job_type: due for job_type, due in unclaimed.items() if as_of - due > NOT_CLAIMED_AFTER}
    if not late:
        return Finding(name, Status.OK, "workers claim every pending job type", evidence={"types": []})
    title = f"no worker claims jobs of type {', '.join(list(late)[:TYPES_NAMED])}"
    more = f"; {counted(len(late) - TYPES_NAMED, 'more type')}" if len(late) > TYPES_NAMED else ""
    oldest = min(late.values())
    detail = (
        f"the oldest has been due {lasting(oldest, as_of, stored=stored)}{more}; they wait until a worker claims them"
    )
    return Finding(name, Status.WARN, title, detail, evidence={"types": list(late)}, next_step=STEP)


def check_claiming(facts: ClaimingFacts) -> list[Finding]:
    """One finding per worker service, `claiming.<service>`, and `queue.unclaimed`."""
    found = [_check_service(facts, service) for service in facts.system.workers]
    return [*found, check_unclaimed(facts.unclaimed, facts.as_of, stored=facts.stored)]


def _check_service(facts: ClaimingFacts, service: Service) -> Finding:
    name, short, due = f"claiming.{service.short}", service.short, facts.due.get(service)
    missing = next((fact for fact in (due, facts.heartbeats) if isinstance(fact, Unavailable)), None)
    if missing is not None:
        title = f"whether {short} claims its jobs is unknown"
        return Finding(name, Status.UNKNOWN, title, missing.why, service, next_step=STEP)
    waited = facts.as_of - due if isinstance(due, datetime) else timedelta()
    idle = _idle(facts, service)
    if waited <= NOT_CLAIMED_AFTER or not idle:
        return Finding(name, Status.OK, f"{short} claims its jobs", "", service)
    evidence = {"due_s": round(waited.total_seconds()), "idle": idle}
    due_words = lasting(facts.as_of - waited, facts.as_of, stored=facts.stored)
    title = f"{short} does not claim a job that has been due {due_words}"
    return Finding(name, Status.FAIL, title, f"{counted(len(idle), 'worker')} idle", service, evidence, STEP)


def _idle(facts: ClaimingFacts, service: Service) -> list[str]:
    """Workers that beat, have finished their start and have no job."""
    beats = () if isinstance(facts.heartbeats, Unavailable) else facts.heartbeats
    return [
        beat.worker_id
        for beat in beats
        if beat.worker_type == service.worker_type
        and beat.is_beating(facts.as_of, facts.stale_after)
        and beat.status == "running"
        and beat.current_job_id is None
    ]


QUEUE = NextStep("Look at the queue", "queue")
FAILED = NextStep("Failed jobs", "failed-jobs 1h")


@dataclass(frozen=True)
class Facts:
    """`all_visible` is False if row-level security may hide rows, so that every count may be too low. `stored`: the
    text is read later, so it has clock times."""

    queue: QueueSnapshot | Unavailable
    all_visible: bool = True
    waits_long_after: timedelta = WAITS_LONG_AFTER
    backlog_after: timedelta = BACKLOG_AFTER
    many_failed: float = MANY_FAILED
    stored: bool = False


def check(facts: Facts) -> list[Finding]:
    """`queue.backlog`, `queue.failed` and `queue.orphaned`; only the first if the queue cannot be read."""
    queue = facts.queue
    if isinstance(queue, Unavailable):
        return [Finding("queue.backlog", Status.UNKNOWN, "queue unknown", queue.why, next_step=QUEUE)]
    findings = [_backlog(queue, facts), _failed(queue, facts), _orphaned(queue)]
    return findings if facts.all_visible else [_doubt(finding) for finding in findings]


def _backlog(queue: QueueSnapshot, facts: Facts) -> Finding:
    waited = queue.as_of - queue.oldest_pending_at if queue.oldest_pending_at else timedelta()
    evidence = {
        "pending": min(queue.pending, PENDING_COUNTED_TO),
        "more_pending": queue.pending > PENDING_COUNTED_TO,
        "oldest_pending_s": round(waited.total_seconds()),
        "processing": queue.processing,
    }
    title = f"{pending_words(queue.pending)} waiting"
    if queue.oldest_pending_at:
        title += (
            f", oldest since {dated_time(queue.oldest_pending_at, queue.as_of)}"
            if facts.stored
            else f", oldest {age(waited)}"
        )
    detail = f"{queue.processing} processing"
    status = _judge_wait(waited, facts)
    step = None if status is Status.OK else QUEUE
    return Finding("queue.backlog", status, title, detail, evidence=evidence, next_step=step)


def _judge_wait(waited: timedelta, facts: Facts) -> Status:
    if waited > facts.backlog_after:
        return Status.FAIL
    return Status.WARN if waited > facts.waits_long_after else Status.OK


def _failed(queue: QueueSnapshot, facts: Facts) -> Finding:
    count = queue.failed_last_hour
    title = f"{count} failed in the last hour"
    status = Status.OK if count == 0 else Status.WARN if count < facts.many_failed else Status.FAIL
    step = None if status is Status.OK else FAILED
    return Finding("queue.failed", status, title, evidence={"failed_last_hour": count}, next_step=step)


def _orphaned(queue: QueueSnapshot) -> Finding:
    count, evidence = queue.orphaned, {"orphaned": queue.orphaned}
    if count == 0:
        return Finding("queue.orphaned", Status.OK, "0 orphaned", evidence=evidence)
    title = counted(count, "orphaned job")
    detail = "in processing, but their worker is not alive"
    return Finding("queue.orphaned", Status.FAIL, title, detail, evidence=evidence, next_step=QUEUE)


def _doubt(finding: Finding) -> Finding:
    """The same finding if rows may be hidden: problems stand, OK becomes unknown."""
    if finding.status is not Status.OK:
        return finding
    detail = "row-level security may hide jobs"
    nothing = dict.fromkeys(finding.evidence)
    return Finding(
        finding.check, Status.UNKNOWN, f"at least {finding.title}", detail, evidence=nothing, next_step=QUEUE
    )
