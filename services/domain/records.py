"""All that is stored about one run, together."""

from __future__ import annotations

from dataclasses import dataclass

from services.domain.approvals import Decision
from services.domain.audit import AuditRow
from services.domain.runs import Run, RunStep


@dataclass(frozen=True)
class Record:
    """`steps` in their order, `decisions` and `audit` oldest first."""

    run: Run
    steps: tuple[RunStep, ...]
    decisions: tuple[Decision, ...]
    audit: tuple[AuditRow, ...]
