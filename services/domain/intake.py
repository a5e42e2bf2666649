"""Batches and events of the CSV intake."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Batch:
    """One uploaded file. Counts are of its rows; `validated` and `failed` grow while a worker judges them."""

    id: str
    status: str
    source_system: str
    created_at: datetime
    row_count: int
    validated: int
    failed: int

    @property
    def judged_percent(self) -> int:
        """How far a worker is, 0 to 100, rounded down."""
        return (self.validated + self.failed) * 100 // self.row_count if self.row_count else 0


@dataclass(frozen=True)
class IntakeEvent:
    """One row of `ops.intake_logs`. `details` stay in the database: they may hold personal data."""

    created_at: datetime
    event_type: str
    source_system: str
