"""Which jobs failed, and in how many different ways? (runbook, "Log Queries")

When:   `health` shows failed jobs, or batches stay unfinished.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.domain.jobs import FailedJob
from services.domain.masking import error_class, template

SAMPLES = 3  # ids shown of each group
NO_MESSAGE = "no error message"


@dataclass(frozen=True)
class FailureGroup:
    """Jobs of one type that failed in one way. `error` is the masked template; `attempts` are the fewest and the most.

    `sample_ids`: the newest first.
    """

    job_type: str
    error: str
    error_class: str | None
    count: int
    first_at: datetime
    last_at: datetime
    sample_ids: tuple[str, ...]
    attempts: tuple[int, int]


def group(jobs: Sequence[FailedJob], *, shape: Callable[[str], str] = template) -> list[FailureGroup]:
    """One group a job type and error, the largest first, then the newest. `shape` makes the error's template."""
    found: dict[tuple[str, str], list[FailedJob]] = {}
    for job in jobs:
        error = shape(job.error_message) if job.error_message else NO_MESSAGE
        found.setdefault((job.job_type, error or NO_MESSAGE), []).append(job)
    groups = [_group(job_type, error, members) for (job_type, error), members in found.items()]
    return sorted(groups, key=lambda one: (one.count, one.last_at), reverse=True)


def _group(job_type: str, error: str, jobs: Sequence[FailedJob]) -> FailureGroup:
    newest_first = sorted(jobs, key=lambda job: job.updated_at, reverse=True)
    attempts = [job.attempts for job in jobs]
    return FailureGroup(
        job_type=job_type,
        error=error,
        error_class=error_class(newest_first[0].error_message or ""),
        count=len(jobs),
        first_at=newest_first[-1].updated_at,
        last_at=newest_first[0].updated_at,
        sample_ids=tuple(job.id for job in newest_first[:SAMPLES]),
        attempts=(min(attempts), max(attempts)),
    )
