"""Do files come in, and do their rows pass? (runbook, "Log Queries", "Golden Path Validation")

When:   an upload seems lost, or rows are missing.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from playbooks._contract import Finding, NextStep, Status
from playbooks.checks import intake
from services.domain.errors import Unavailable
from services.domain.health import IntakeHealth
from services.domain.intake import Batch, IntakeEvent
from services.domain.words import counted

API_LOGS = NextStep("Logs of api", "logs api")
FAILED = NextStep("Failed jobs", "failed-jobs 1h")


@dataclass(frozen=True)
class Facts:
    """`batches` and `events`: the latest ones."""

    health: IntakeHealth | Unavailable
    batches: Sequence[Batch] | Unavailable
    events: Sequence[IntakeEvent] | Unavailable


def check(facts: Facts) -> list[Finding]:
    """Whether the intake answers and the latest batches went through; events are told only when they are unknown."""
    findings = [*map(_lead_on, intake.check(facts.health)), _check_batches(facts.batches)]
    if isinstance(facts.events, Unavailable):
        findings.append(Finding("intake.events", Status.UNKNOWN, "intake events unknown", facts.events.why))
    return findings


def _lead_on(finding: Finding) -> Finding:
    """Who already looks at the intake is led to the API, which serves it."""
    return replace(finding, next_step=API_LOGS) if finding.next_step == intake.STEP else finding


def _check_batches(batches: Sequence[Batch] | Unavailable) -> Finding:
    name = "intake.batches"
    if isinstance(batches, Unavailable):
        return Finding(name, Status.UNKNOWN, "batches unknown", batches.why)
    failed = sum(batch.status == "failed" for batch in batches)
    with_bad_rows = sum(batch.failed > 0 for batch in batches)
    evidence = {"batches": len(batches), "failed": failed, "with_failed_rows": with_bad_rows}
    if not batches:
        return Finding(name, Status.OK, "no batch was ever uploaded", evidence=evidence)
    detail = f"{with_bad_rows} with rows that did not pass" if with_bad_rows else ""
    if failed:
        title = f"{failed} failed among the latest {counted(len(batches), 'batch')}"
        return Finding(name, Status.WARN, title, detail, evidence=evidence, next_step=FAILED)
    return Finding(name, Status.OK, f"no failed batch among the latest {len(batches)}", detail, evidence=evidence)
