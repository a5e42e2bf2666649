"""Who is on call: words shared by the schedule, its overrides and the incidents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.domain.runs import Person


@dataclass(frozen=True)
class Override:
    """`user_id` stands in for the rotation's own people, from `begins_at` until before `ends_at`. `by` arranged it."""

    id: int
    rotation: str
    user_id: str
    begins_at: datetime
    ends_at: datetime
    by: Person
    created_at: datetime
