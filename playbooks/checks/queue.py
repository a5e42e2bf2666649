"""Is work done as fast as it comes in, and does none of it get lost? (runbook, "Log Queries", "Worker Scaling")"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from playbooks._contract import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.jobs import PENDING_COUNTED_TO, QueueSnapshot, pending_words
from services.domain.thresholds import BACKLOG_AFTER, MANY_FAILED, WAITS_LONG_AFTER
from services.domain.words import age, counted, dated_time

QUEUE = NextStep("Look at the queue", "queue")
FAILED = NextStep("Failed jobs", "failed-jobs 1h")


@dataclass(frozen=True)
class Facts:
    """`all_visible` is False when row-level security may hide rows, so that every count may be too low.
    `stored`: what is said is read later, so with clock times."""

    queue: QueueSnapshot | Unavailable
    all_visible: bool = True
    waits_long_after: timedelta = WAITS_LONG_AFTER
    backlog_after: timedelta = BACKLOG_AFTER
    many_failed: float = MANY_FAILED
    stored: bool = False


def check(facts: Facts) -> list[Finding]:
    """`queue.backlog`, `queue.failed` and `queue.orphaned`; only the first when the queue cannot be seen."""
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
    """The same finding when rows may be hidden: bad news stands, good news does not."""
    if finding.status is not Status.OK:
        return finding
    detail = "row-level security may hide jobs"
    nothing = dict.fromkeys(finding.evidence)
    return Finding(
        finding.check, Status.UNKNOWN, f"at least {finding.title}", detail, evidence=nothing, next_step=QUEUE
    )
