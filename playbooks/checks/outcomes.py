"""Checks that jobs don't fail more than usual, run out of attempts or wait for a lock (runbook, "Log Queries")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playbooks import log_patterns
from playbooks.log_patterns import Symptom, explain
from playbooks.model import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.jobs import FailedJob, JobOutcomes, LockWait
from services.domain.masking import template
from services.domain.systems import System
from services.domain.text import counted

STEP = NextStep("Failed jobs", "failed-jobs 1h")


def check(jobs: Sequence[FailedJob] | Unavailable, system: System) -> list[Finding]:
    """`queue.errors`: one finding per symptom and template; another check counts errors that are in no table."""
    if isinstance(jobs, Unavailable):
        return [Finding("queue.errors", Status.UNKNOWN, "errors of jobs unknown", jobs.why, next_step=STEP)]
    groups: dict[tuple[Symptom, str], list[FailedJob]] = {}
    for job in jobs:
        symptom = _symptom(job)
        if symptom is not None:
            groups.setdefault((symptom, template(job.error_message or "")), []).append(job)
    return [_retry_finding(symptom, error, failed, system) for (symptom, error), failed in groups.items()]


def _symptom(job: FailedJob) -> Symptom | None:
    pattern = log_patterns.RUNBOOK.recognise(job.error_message or "")  # Postgres' errors are the same in every system
    return pattern.symptom if pattern else None


def _retry_finding(symptom: Symptom, error: str, jobs: Sequence[FailedJob], system: System) -> Finding:
    types = sorted({job.job_type for job in jobs})
    service = system.service_of_job(jobs[0].job_type)
    title = f"{counted(len(jobs), 'failed job')}: {error}"
    evidence = {"count": len(jobs), "template": error, "job_types": types}
    finding = Finding("queue.errors", Status.FAIL, title, ", ".join(types), service, evidence, STEP)
    return explain(finding, symptom)


FAILED = NextStep("Failed jobs", "failed-jobs 1h")
QUEUE = NextStep("Look at the queue", "queue")


@dataclass(frozen=True)
class Usual:
    """The outcomes of jobs lately and in the hours before."""

    lately: JobOutcomes
    before: JobOutcomes


def check_rate(found: Usual | Unavailable, *, at_least: float, share: float, times: float) -> Finding:
    """`jobs.rate`: fails if at least `at_least` jobs ended and the share of failures is at least `share` and at least
    `times` the earlier share."""
    if isinstance(found, Unavailable):
        return Finding("jobs.rate", Status.UNKNOWN, "how jobs end is unknown", found.why, next_step=FAILED)
    lately, before = found.lately, found.before
    evidence = {"ended": lately.ended, "failed": lately.failed, "usual_share": round(before.failed_share, 4)}
    title = f"{lately.failed} of {counted(lately.ended, 'job')} failed lately"
    is_more = lately.failed_share >= max(share, times * before.failed_share)
    if lately.ended < at_least or not is_more:
        return Finding("jobs.rate", Status.OK, title, evidence=evidence)
    usual = f"usual is {before.failed_share:.0%}"
    return Finding("jobs.rate", Status.FAIL, title, usual, evidence=evidence, next_step=FAILED)


def check_exhausted(count: int | Unavailable, *, at_least: float) -> Finding:
    """`jobs.exhausted`: jobs that failed on their last attempt within the hour."""
    if isinstance(count, Unavailable):
        return Finding("jobs.exhausted", Status.UNKNOWN, "jobs out of attempts unknown", count.why, next_step=FAILED)
    title, evidence = f"{counted(count, 'job')} out of attempts in the last hour", {"exhausted": count}
    if count < at_least:
        return Finding("jobs.exhausted", Status.OK, title, evidence=evidence)
    detail = "they are not retried until they are requeued"
    return Finding("jobs.exhausted", Status.FAIL, title, detail, evidence=evidence, next_step=FAILED)


def check_contention(waits: Sequence[LockWait] | Unavailable, *, longer_than_s: float) -> Finding:
    """`database.contention`: lock waits that are longer than `longer_than_s` seconds."""
    name = "database.contention"
    if isinstance(waits, Unavailable):
        return Finding(name, Status.UNKNOWN, "lock waits unknown", waits.why, next_step=QUEUE)
    long = [wait for wait in waits if wait.waiting_s > longer_than_s]
    if not long:
        return Finding(name, Status.OK, "no session waits long for a lock", evidence={"waiting": len(waits)})
    worst = max(long, key=lambda wait: wait.waiting_s)
    title = f"{counted(len(long), 'session')} waiting for a lock, longest {worst.waiting_s:.0f} s"
    blockers = ", ".join(map(str, worst.blocked_by[:3])) or "unknown"
    detail = f"{worst.application_name} on {worst.relation or 'a row'}, blocked by pid {blockers}"
    evidence = {"waiting": len(long), "longest_s": round(worst.waiting_s), "blocked_by": list(worst.blocked_by)}
    return Finding(name, Status.WARN, title, detail, evidence=evidence, next_step=QUEUE)
