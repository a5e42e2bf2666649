"""All that is stored about one run, together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.domain.approvals import Decision
from services.domain.audit import AuditRow
from services.domain.lone_starts import LoneStart
from services.domain.reviews import Review
from services.domain.runs import Run, RunStep


@dataclass(frozen=True)
class Record:
    """`steps` in their order, `decisions` and `audit` oldest first. `review`: None for a run that was approved.

    lone: None for a run that nobody may start alone.
    """

    run: Run
    steps: Sequence[RunStep] = ()
    decisions: Sequence[Decision] = ()
    audit: Sequence[AuditRow] = ()
    review: Review | None = None
    lone: LoneStart | None = None
