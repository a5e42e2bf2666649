"""The review of what somebody did without being approved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.domain.runs import Person


@dataclass(frozen=True)
class Review:
    """Of one run. It is open until somebody else than `acted_by` has written a note. Times are the database's."""

    run_id: int
    acted_by: Person
    asked_at: datetime
    reviewed_by: Person | None = None
    note: str | None = None
    reviewed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.reviewed_at is None
