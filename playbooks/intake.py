"""Show whether uploads arrive and their rows pass (runbook, "Log Queries", "Golden Path Validation")

When:   an upload seems lost, or rows are missing.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from playbooks.checks import api
from playbooks.model import Finding, NextStep, Status
from services.domain.batches import Batch, IntakeEvent, RowFault
from services.domain.errors import Unavailable
from services.domain.health import IntakeHealth
from services.domain.systems import System
from services.domain.text import age, counted, lasting
from services.domain.thresholds import BATCH_STUCK_AFTER

API_LOGS = NextStep("Logs of api", "logs api")
FAILED = NextStep("Failed jobs", "failed-jobs 1h")


@dataclass(frozen=True)
class Facts:
    """`batches` and `events`: the latest ones. `now` is our own clock."""

    health: IntakeHealth | Unavailable
    batches: Sequence[Batch] | Unavailable
    events: Sequence[IntakeEvent] | Unavailable
    now: datetime
    system: System = field(kw_only=True)


def check(facts: Facts) -> list[Finding]:
    """Findings about the intake's answer and its latest batches; about events only if they are unknown."""
    findings = [*map(_point_to_api_logs, api.check_intake(facts.health, system=facts.system)), _check_batches(facts)]
    if isinstance(facts.events, Unavailable):
        findings.append(Finding("intake.events", Status.UNKNOWN, "intake events unknown", facts.events.why))
    return findings


def _point_to_api_logs(finding: Finding) -> Finding:
    """Replace a next step to this command with the API's log, because the API serves the intake."""
    return replace(finding, next_step=API_LOGS) if finding.next_step == api.INTAKE_STEP else finding


def _check_batches(facts: Facts) -> Finding:
    name, batches = "intake.batches", facts.batches
    if isinstance(batches, Unavailable):
        return Finding(name, Status.UNKNOWN, "batches unknown", batches.why)
    failed = sum(batch.status == "failed" for batch in batches)
    with_bad_rows = sum(batch.failed > 0 for batch in batches)
    empty = [batch for batch in batches if batch.is_empty]
    stuck = [batch for batch in batches if is_stuck(batch, facts.now, facts.system)]
    evidence = {
        "batches": len(batches),
        "failed": failed,
        "with_failed_rows": with_bad_rows,
        "without_good_rows": len(empty),
        "stuck": len(stuck),
    }
    if not batches:
        return Finding(name, Status.OK, "no batch was ever uploaded", evidence=evidence)
    detail = f"{with_bad_rows} with rows that did not pass" if with_bad_rows else ""
    if empty:
        title = f"{_of_latest(len(empty), batches)} had no row that passed"
        return Finding(name, Status.FAIL, title, detail, evidence=evidence, next_step=_faults_of(empty[0]))
    if stuck:
        title = f"{_of_latest(len(stuck), batches)} unfinished for more than {age(BATCH_STUCK_AFTER)}"
        return Finding(name, Status.FAIL, title, detail, evidence=evidence, next_step=API_LOGS)
    if failed:
        broken = next(batch for batch in batches if batch.status == "failed")
        step = _faults_of(broken) if facts.system.uploader is None else FAILED  # no job: the API stores the rows
        title = f"{_of_latest(failed, batches)} failed"
        return Finding(name, Status.WARN, title, detail, evidence=evidence, next_step=step)
    bad = [batch for batch in batches if batch.failed]
    onward = _faults_of(bad[0]) if bad else None
    title = f"no failed batch among the latest {len(batches)}"
    return Finding(name, Status.OK, title, detail, evidence=evidence, next_step=onward)


def _of_latest(count: int, batches: Sequence[Batch]) -> str:
    return "the latest batch" if len(batches) == 1 else f"{count} of the latest {len(batches)} batches"


def is_stuck(batch: Batch, now: datetime, system: System) -> bool:
    """True if the batch will never complete: without an upload worker, the API process that stored it has died."""
    is_open = batch.status in system.open_batches
    return system.uploader is None and is_open and now - batch.created_at > BATCH_STUCK_AFTER


def check_batch(
    batch: Batch, faults: Sequence[RowFault] | Unavailable, *, now: datetime, system: System
) -> list[Finding]:
    """Findings about one upload, and the reasons why its rows failed."""
    rows = counted(batch.row_count, "row")
    evidence = {"rows": batch.row_count, "validated": batch.validated, "failed": batch.failed}
    if batch.status == "failed":
        title, status = f"batch failed after {batch.judged_percent} % of {rows}", Status.FAIL
    elif is_stuck(batch, now, system):
        title, status = (
            f"{batch.status} {lasting(batch.created_at, now, stored=False)}, so it will not complete",
            Status.FAIL,
        )
    elif batch.status != "completed":
        title, status = f"{batch.status}: {batch.judged_percent} % of {rows} checked", Status.OK
    elif batch.is_empty:
        title, status = f"none of {rows} passed", Status.FAIL
    else:
        title, status = f"{batch.validated} of {rows} passed", Status.WARN if batch.failed else Status.OK
    step = _onward(batch, now, system)
    findings = [
        Finding("intake.batch", status, title, f"from {batch.source_system}", evidence=evidence, next_step=step)
    ]
    if isinstance(faults, Unavailable):
        findings.append(Finding("intake.faults", Status.UNKNOWN, "reasons unknown", faults.why))
    return findings


def _onward(batch: Batch, now: datetime, system: System) -> NextStep | None:
    if batch.status == "failed":
        return FAILED if system.uploader is not None else API_LOGS
    return API_LOGS if is_stuck(batch, now, system) else None


def _faults_of(batch: Batch) -> NextStep:
    return NextStep("Why rows failed", f"intake {batch.id[:8]}")
