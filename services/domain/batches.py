"""Uploaded files and their rows, as the database and the API report them."""

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
        """The share of rows that a worker has judged, 0 to 100, rounded down."""
        return (self.validated + self.failed) * 100 // self.row_count if self.row_count else 0

    @property
    def is_empty(self) -> bool:
        """True if every row was judged and none passed."""
        return self.status == "completed" and self.row_count > 0 and self.validated == 0


@dataclass(frozen=True)
class IntakeEvent:
    """One row of `ops.intake_logs`, without its `details`: they may hold personal data. `reason`: why an upload was
    refused, in the API's own words."""

    created_at: datetime
    event_type: str
    source_system: str
    reason: str | None = None


@dataclass(frozen=True)
class RowFault:
    """A reason why rows of one batch didn't pass, `Column: rule` or the rule alone, and how many rows break it."""

    fault: str
    rows: int


@dataclass(frozen=True)
class GoldenBatch:
    """One batch of the golden path in the database. `is_golden_path`: True if it carries the golden path's mark."""

    id: str
    status: str
    source_system: str
    created_at: datetime
    is_golden_path: bool


@dataclass(frozen=True)
class RowCounts:
    """The numbers of stored, validated and failed rows of one batch."""

    rows: int
    validated: int
    failed: int


@dataclass(frozen=True)
class BatchJob:
    """One job of a batch. `status` is `pending`, `processing`, `completed` or `failed`."""

    id: str
    job_type: str
    status: str
    updated_at: datetime
