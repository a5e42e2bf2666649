"""The golden path's own test data: one small file, under a case number of each run's own (runbook, "Golden Path
Validation")."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from datetime import datetime

from services.domain.headers import HeaderFault
from services.domain.judgments import ENFORCEMENT_JOB_TYPE
from services.domain.simplicity import JOB_TYPE, Column, read_header

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
