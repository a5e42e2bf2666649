"""Checks the golden path's results in the database (runbook, "SQL Verification Queries", 1 to 5).

The runbook checks everything of the last 10 min; these checks are about the one batch that was uploaded.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from playbooks.model import Finding, Status
from services.domain.batches import BatchJob, GoldenBatch, RowCounts
from services.domain.database import Exposure
from services.domain.errors import Unavailable
from services.domain.intake import SOURCE_SYSTEM
from services.domain.jobs import Heartbeat
from services.domain.services import WorkerType
from services.domain.systems import JOB_TYPE
from services.domain.text import age, counted
from services.domain.thresholds import StaleLimits


@dataclass(frozen=True)
class Facts:
    """`rows`: the number of rows in the file. `batch` is None if the database has no batch of this file.

    `as_of` is the database's clock. `all_visible` is False if row-level security may hide heartbeats.
    """

    as_of: datetime
    stale_after: StaleLimits
    rows: int
    batch: GoldenBatch | Unavailable | None
    counts: RowCounts | Unavailable
    jobs: Sequence[BatchJob] | Unavailable
    exposures: Sequence[Exposure] | Unavailable
    heartbeats: Sequence[Heartbeat] | Unavailable
    worker_types: Collection[str] = (WorkerType.INGEST,)
    all_visible: bool = True
    upload_only: bool = False


def check(facts: Facts) -> list[Finding]:
    """Five findings, in the runbook's order; a warning may still become OK in a moment. Two for an upload only, because
    no worker took part."""
    if facts.upload_only:
        return [_batch(facts), _rows(facts)]
    return [_batch(facts), _rows(facts), _job(facts), _grants(facts), _heartbeats(facts)]


def _batch(facts: Facts) -> Finding:
    name, batch = "golden_path.batch", facts.batch
    if isinstance(batch, Unavailable):
        return _unknown(name, "the batch", batch)
    if batch is None:
        return Finding(name, Status.FAIL, "the batch is not in this database", "the API may use another one")
    if not batch.is_golden_path:
        return Finding(name, Status.FAIL, "the batch is not marked, so it is enforced like any other")
    if batch.status != "completed" or batch.source_system != SOURCE_SYSTEM:
        return Finding(name, Status.FAIL, f"the batch is {batch.status}, from {batch.source_system}")
    return Finding(name, Status.OK, "the batch was created", evidence={"batch": batch.id})


def _rows(facts: Facts) -> Finding:
    name, counts = "golden_path.rows", facts.counts
    if isinstance(counts, Unavailable):
        return _unknown(name, "the rows", counts)
    words = f"{counted(counts.rows, 'row')}, {counts.validated} validated, {counts.failed} failed"
    is_right = (counts.rows, counts.validated, counts.failed) == (facts.rows, facts.rows, 0)
    return Finding(name, Status.OK if is_right else Status.FAIL, words, "" if is_right else f"{facts.rows} are right")


def _job(facts: Facts) -> Finding:
    name, jobs = "golden_path.job", facts.jobs
    if isinstance(jobs, Unavailable):
        return _unknown(name, "the job", jobs)
    states = [job.status for job in jobs if job.job_type == JOB_TYPE]
    if states == ["completed"]:
        return Finding(name, Status.OK, "the job completed")
    if states and set(states) <= {"pending", "processing"}:  # the batch is closed a moment before its job
        return Finding(name, Status.WARN, f"the job is still {states[0]}")
    return Finding(name, Status.FAIL, f"the job is {states[0]}" if states else "the job is missing")


def _grants(facts: Facts) -> Finding:
    name, exposures = "golden_path.grants", facts.exposures
    if isinstance(exposures, Unavailable):
        return _unknown(name, "the grants", exposures)
    found = [one for one in exposures if one.kind == "grants" and one.subject.partition(".")[0] == "ops"]
    if not found:
        return Finding(name, Status.OK, "no dangerous grants")
    if all(one.is_theirs for one in found):
        title = f"no dangerous grants of ours; the operated system has {counted(len(found), 'open one')}"
        return Finding(name, Status.OK, title)
    named = "; ".join(f"{one.subject}: {one.role} {one.what}" for one in found[:3])
    return Finding(name, Status.FAIL, f"{counted(len(found), 'dangerous grant')}", named)


def _heartbeats(facts: Facts) -> Finding:
    name, beats = "golden_path.heartbeats", facts.heartbeats
    if isinstance(beats, Unavailable):
        return _unknown(name, "the heartbeats", beats)
    own = [beat for beat in beats if beat.worker_type in facts.worker_types]
    fresh = [beat.age(facts.as_of) for beat in own if beat.is_beating(facts.as_of, facts.stale_after)]
    if fresh:
        return Finding(name, Status.OK, f"the heartbeats are fresh, the last {age(min(fresh))} ago")
    status = Status.FAIL if facts.all_visible else Status.UNKNOWN
    return Finding(name, status, "no ingest worker is alive")


def _unknown(name: str, what: str, fact: Unavailable) -> Finding:
    return Finding(name, Status.UNKNOWN, f"{what} cannot be read", fact.why)
