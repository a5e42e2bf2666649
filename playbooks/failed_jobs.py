"""List failed jobs, grouped by error (runbook, "Log Queries")

When:   `health` shows failed jobs, or batches stay unfinished.
Effect: none, it only reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.domain.jobs import FailedJob
from services.domain.masking import error_class, template

SAMPLES = 3  # ids shown per group
NO_MESSAGE = "no error message"


@dataclass(frozen=True)
class FailureGroup:
    """Jobs of one type that failed in one way. `error` is the masked template; `attempts` are the lowest and the
    highest number.

    `sample_ids`: the newest first. `sample`: the newest one's error, as the requester may read it.
    """

    job_type: str
    error: str
    error_class: str | None
    count: int
    first_at: datetime
    last_at: datetime
    sample_ids: tuple[str, ...]
    attempts: tuple[int, int]
    sample: str

    @property
    def key(self) -> str:
        """A short name that stays the same while the error does: `requeue g-1a2b3c4d`."""
        return group_key(self.job_type, self.error)


def group_key(job_type: str, error: str) -> str:
    """The name of the group of jobs of this type with this masked error."""
    return "g-" + hashlib.sha256(f"{job_type}\n{error}".encode()).hexdigest()[:8]


def group(
    jobs: Sequence[FailedJob], *, shape: Callable[[str], str] = template, show: Callable[[str], str] | None = None
) -> list[FailureGroup]:
    """One group per job type and error, the largest first, then the newest.

    `shape` makes the error's template, `show` the text of the newest one that the requester sees; None shows the
    template.
    """
    found: dict[tuple[str, str], list[FailedJob]] = {}
    for job in jobs:
        found.setdefault((job.job_type, error_of(job, shape=shape)), []).append(job)
    groups = [_group(job_type, error, members, show or shape) for (job_type, error), members in found.items()]
    return sorted(groups, key=lambda one: (one.count, one.last_at), reverse=True)


def error_of(job: FailedJob, *, shape: Callable[[str], str] = template) -> str:
    """The template of the job's error."""
    return (shape(job.error_message) if job.error_message else "") or NO_MESSAGE


def _group(job_type: str, error: str, jobs: Sequence[FailedJob], show: Callable[[str], str]) -> FailureGroup:
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
        sample=error_of(newest_first[0], shape=show),
    )
