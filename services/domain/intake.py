"""Batches and events of the CSV intake."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Batch:
    """One uploaded file. Counts are of its rows."""

    id: str
    status: str
    source_system: str
    created_at: datetime
    row_count: int
    validated: int
    failed: int


@dataclass(frozen=True)
class IntakeEvent:
    """One row of `ops.intake_logs`. `details` stay in the database: they may hold personal data."""

    created_at: datetime
    event_type: str
    source_system: str
