"""Do files come in, and do their rows pass? (runbook, "Log Queries", "Golden Path Validation")

When:   an upload seems lost, or rows are missing.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from playbooks.checks import api
from playbooks.model import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.health import IntakeHealth
from services.domain.intake import Batch, IntakeEvent, RowFault
from services.domain.text import counted

API_LOGS = NextStep("Logs of api", "logs api")
FAILED = NextStep("Failed jobs", "failed-jobs 1h")


@dataclass(frozen=True)
class Facts:
    """`batches` and `events`: the latest ones."""

    health: IntakeHealth | Unavailable
    batches: Sequence[Batch] | Unavailable
    events: Sequence[IntakeEvent] | Unavailable


def check(facts: Facts) -> list[Finding]:
    """Whether the intake answers and the latest batches went through; events are reported only when they are
    unknown."""
    findings = [*map(_lead_on, api.check_intake(facts.health)), _check_batches(facts.batches)]
    if isinstance(facts.events, Unavailable):
        findings.append(Finding("intake.events", Status.UNKNOWN, "intake events unknown", facts.events.why))
    return findings


def _lead_on(finding: Finding) -> Finding:
    """Who already looks at the intake is led to the API, which serves it."""
    return replace(finding, next_step=API_LOGS) if finding.next_step == api.INTAKE_STEP else finding


def _check_batches(batches: Sequence[Batch] | Unavailable) -> Finding:
    name = "intake.batches"
    if isinstance(batches, Unavailable):
        return Finding(name, Status.UNKNOWN, "batches unknown", batches.why)
    failed = sum(batch.status == "failed" for batch in batches)
    with_bad_rows = sum(batch.failed > 0 for batch in batches)
    empty = [batch for batch in batches if batch.is_empty]
    evidence = {
        "batches": len(batches),
        "failed": failed,
        "with_failed_rows": with_bad_rows,
        "without_good_rows": len(empty),
    }
    if not batches:
        return Finding(name, Status.OK, "no batch was ever uploaded", evidence=evidence)
    detail = f"{with_bad_rows} with rows that did not pass" if with_bad_rows else ""
    among = f"among the latest {counted(len(batches), 'batch')}"
    if empty:
        title = f"no row passed in {len(empty)} {among}"
        return Finding(name, Status.FAIL, title, detail, evidence=evidence, next_step=_faults_of(empty[0]))
    if failed:
        return Finding(name, Status.WARN, f"{failed} failed {among}", detail, evidence=evidence, next_step=FAILED)
    bad = [batch for batch in batches if batch.failed]
    step = _faults_of(bad[0]) if bad else None
    title = f"no failed batch among the latest {len(batches)}"
    return Finding(name, Status.OK, title, detail, evidence=evidence, next_step=step)


def check_batch(batch: Batch, faults: Sequence[RowFault] | Unavailable) -> list[Finding]:
    """What became of one upload, and why its rows did not pass."""
    rows = counted(batch.row_count, "row")
    evidence = {"rows": batch.row_count, "validated": batch.validated, "failed": batch.failed}
    if batch.status == "failed":
        title, status = f"batch failed after {batch.judged_percent} % of {rows}", Status.FAIL
    elif batch.status != "completed":
        title, status = f"{batch.status}: {batch.judged_percent} % of {rows} checked", Status.OK
    elif batch.is_empty:
        title, status = f"none of {rows} passed", Status.FAIL
    else:
        title, status = f"{batch.validated} of {rows} passed", Status.WARN if batch.failed else Status.OK
    step = FAILED if batch.status == "failed" else None
    findings = [
        Finding("intake.batch", status, title, f"from {batch.source_system}", evidence=evidence, next_step=step)
    ]
    if isinstance(faults, Unavailable):
        findings.append(Finding("intake.faults", Status.UNKNOWN, "reasons unknown", faults.why))
    return findings


def _faults_of(batch: Batch) -> NextStep:
    return NextStep("Why rows failed", f"intake {batch.id[:8]}")
