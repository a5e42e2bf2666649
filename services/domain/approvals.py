"""Who agreed to what: one decision of one person about one run, on the plan they were shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.domain.runs import Person


@dataclass(frozen=True)
class Decision:
    """`plan_hash` is what the person was shown, `policy_hash` the policy that let them decide."""

    run_id: int
    person: Person
    approve: bool
    reason: str
    plan_hash: str
    policy_hash: str
    decided_at: datetime
