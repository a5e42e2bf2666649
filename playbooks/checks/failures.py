"""Do failed jobs tell of something that the troubleshooting table knows? (runbook, "Log Queries": failed jobs)"""

from __future__ import annotations

from collections.abc import Sequence

from playbooks._contract import Finding, NextStep, Status
from playbooks._log_patterns import recognise
from playbooks._troubleshooting import Symptom, explain
from services.domain.errors import Unavailable
from services.domain.jobs import FailedJob, service_of_job
from services.domain.masking import template
from services.domain.words import counted

STEP = NextStep("Failed jobs", "failed-jobs 1h")


def check(jobs: Sequence[FailedJob] | Unavailable) -> list[Finding]:
    """`queue.errors`: one finding a symptom and template; errors that the table does not know are counted elsewhere."""
    if isinstance(jobs, Unavailable):
        return [Finding("queue.errors", Status.UNKNOWN, "errors of jobs unknown", jobs.why, next_step=STEP)]
    groups: dict[tuple[Symptom, str], list[FailedJob]] = {}
    for job in jobs:
        symptom = _symptom(job)
        if symptom is not None:
            groups.setdefault((symptom, template(job.error_message or "")), []).append(job)
    return [_told(symptom, error, failed) for (symptom, error), failed in groups.items()]


def _symptom(job: FailedJob) -> Symptom | None:
    pattern = recognise(job.error_message or "")
    return pattern.symptom if pattern else None


def _told(symptom: Symptom, error: str, jobs: Sequence[FailedJob]) -> Finding:
    types = sorted({job.job_type for job in jobs})
    service = service_of_job(jobs[0].job_type)
    title = f"{counted(len(jobs), 'failed job')}: {error}"
    evidence = {"count": len(jobs), "template": error, "job_types": types}
    finding = Finding("queue.errors", Status.FAIL, title, ", ".join(types), service, evidence, STEP)
    return explain(finding, symptom)
