"""The golden path's file: test data, different in each run."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.intake import MARK, SAMPLE, Column, Header, read_header, read_sample
from services.ingest_worker.rows import judge_rows

HEADER = "Case Number,Plaintiff,Defendant,Judgment Amount,Filing Date,County\n"
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
OURS = Path(SAMPLE).read_bytes()


def cases(content: bytes) -> list[str]:
    header, *lines = csv.reader(io.StringIO(content.decode(), newline=""))
    known = read_header(header)
    assert isinstance(known, Header)
    return [line[known.positions[list(Column).index(Column.CASE_NUMBER)]] for line in lines]


def test_the_file_of_the_repository_is_one_good_judgment() -> None:
    sample = read_sample(OURS)
    header, line = csv.reader(io.StringIO(sample.of_run(12, NOW).decode(), newline=""))
    known = read_header(header)

    assert sample.rows == 1
    assert isinstance(known, Header)
    assert len(judge_rows([line], known, today=NOW.date()).judgments) == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "lacks a column"),
        (b"Case Number,Plaintiff\n1,2\n", "lacks a column"),
        (HEADER.encode(), "has no rows"),
        (HEADER.encode() + b"C-1,a,b,1,1/2/2024,Kings\n", "does not begin with GOLDEN-PATH"),
        (HEADER.encode() + b"GOLDEN-PATH,a,b,1,1/2/2024,Kings\nC-1,a,b,1,1/2/2024,Kings\n", "does not begin with"),
        (b"\xff\xfe", "utf-8"),
    ],
)
def test_read_sample_refuses_a_file_with_possibly_real_cases(content: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_sample(content)


@given(st.sets(st.tuples(st.integers(1, 10**9), st.integers(0, 10**8)), min_size=2, max_size=5))
def test_no_two_runs_have_a_case_in_common(runs: set[tuple[int, int]]) -> None:
    sample = read_sample(OURS)

    files = [sample.of_run(run_id, NOW + timedelta(seconds=later)) for run_id, later in runs]

    found = [case for content in files for case in cases(content)]
    assert len(set(found)) == len(runs)
    assert all(case.startswith(f"{MARK}-") for case in found)


def test_sample_of_one_run_is_always_the_same_file() -> None:
    assert read_sample(OURS).of_run(12, NOW) == read_sample(OURS).of_run(12, NOW)
