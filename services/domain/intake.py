"""The CSV intake: batches, events, judgments, and the golden path's test data."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from services.domain.csv_layouts import JOB_TYPE, Column, HeaderFault, read_header


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

    @property
    def is_empty(self) -> bool:
        """Every row was judged and none of them passed."""
        return self.status == "completed" and self.row_count > 0 and self.validated == 0


@dataclass(frozen=True)
class IntakeEvent:
    """One row of `ops.intake_logs`. `details` stay in the database: they may hold personal data.

    `reason`: why an upload was refused, in words of the API's own.
    """

    created_at: datetime
    event_type: str
    source_system: str
    reason: str | None = None


@dataclass(frozen=True)
class RowFault:
    """Why rows of one batch did not pass: `Column: rule`, or the rule alone, and how many rows break it."""

    fault: str
    rows: int


ENFORCEMENT_JOB_TYPE = "enforcement_next_step"  # one job a batch: what to do next about each of its judgments
MEMO_JOB_TYPE = "enforcement_memos"  # asks a language model about the cases of one batch
REVIEW_JOB_TYPE = "enforcement_review"  # makes assessments anew that are due, whatever their batch


class Judgment(NamedTuple):
    """One judgment. `amount` is in US dollars with two decimals; a case number is unique within its county.

    `is_consumer_debt` is None where the file does not say.
    """

    case_number: str
    plaintiff: str
    defendant: str
    amount: Decimal
    filing_date: date
    county: str
    is_consumer_debt: bool | None = None


SAMPLE = "data_in/simplicity_test_single.csv"  # the runbook's name for it
MARK = "GOLDEN-PATH"  # how each of its case numbers begins, so that no run can meet somebody's case


@dataclass(frozen=True)
class SampleFile:
    """The test file as it lies in the repository. `rows`: lines below its header. Make it with `read_sample`."""

    content: bytes
    rows: int

    @property
    def checksum(self) -> str:
        """SHA-256 of its bytes, 64 hexadecimal characters."""
        return sha256_of(self.content)

    def of_run(self, run_id: int, created_at: datetime) -> bytes:
        """The same file under case numbers that no other run has, also after the run numbers began anew."""
        own = f"{MARK}-{run_id}-{int(created_at.timestamp())}"
        return self.content.replace(MARK.encode(), own.encode())


def read_sample(content: bytes) -> SampleFile:
    """Raises ValueError, which says what is wrong, for a file that could be more than test data."""
    lines = [line for line in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")) if any(line)]
    header = read_header(lines[0] if lines else [])
    if isinstance(header, HeaderFault):
        raise ValueError("it lacks a column, or names one twice")  # noqa: TRY004 - the file is wrong, not its type
    if len(lines) < 2:
        raise ValueError("it has no rows")
    case_number = header.positions[list(Column).index(Column.CASE_NUMBER)]
    cases = [line[case_number] for line in lines[1:]]
    if not all(case.startswith(MARK) for case in cases):
        raise ValueError(f"a case number does not begin with {MARK}")
    return SampleFile(content, len(cases))


def sha256_of(content: bytes) -> str:
    """64 hexadecimal characters, as the intake stores it."""
    return hashlib.sha256(content).hexdigest()


def job_keys(batch_id: str) -> tuple[str, str]:
    """The idempotency keys of the jobs of one batch, as the API and the ingest worker queue them."""
    return f"{JOB_TYPE}:{batch_id}", f"{ENFORCEMENT_JOB_TYPE}:{batch_id}"


@dataclass(frozen=True)
class GoldenBatch:
    """One batch of the golden path in the database. `is_golden_path`: whether it carries the mark."""

    id: str
    status: str
    source_system: str
    created_at: datetime
    is_golden_path: bool


@dataclass(frozen=True)
class RowCounts:
    """How the stored rows of one batch stand."""

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
