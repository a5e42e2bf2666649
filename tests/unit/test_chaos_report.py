"""The report of `make chaos`: made from the files that its runs and shards wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.chaos.case_log import CaseLog
from tests.chaos.report import newest, render


def line(done_s: float, **changes: object) -> str:
    figures = {"act": "Soak", "boundary": "while it waits", "how": "kill", "goes_on_s": 3.0, "done_s": done_s}
    return json.dumps(figures | changes)


def test_a_case_that_was_run_again_counts_once() -> None:
    assert "| while it waits | kill | 1 | 3.0 / 3.0 | 8.0 / 8.0 |" in render(newest([line(9.0), line(8.0)]))


def test_shards_come_together() -> None:
    shown = render(newest([line(9.0), line(7.0, act="AwaitDeployment"), line(5.0, how="freeze")]))

    assert "| while it waits | kill | 2 | 3.0 / 3.0 | 9.0 / 9.0 |" in shown
    assert "3 cases, of: `AwaitDeployment`, `Soak`." in shown


def test_figures_of_alerts_are_no_case_of_a_run() -> None:
    assert newest([json.dumps({"alerts": 1000, "lost": 0}), line(9.0)]) == [json.loads(line(9.0))]


def test_a_run_that_is_interrupted_leaves_the_names_of_its_cases(tmp_path: Path) -> None:
    cases = tmp_path / "build" / "cases.txt"
    log, where = CaseLog(cases), ("tests/a.py", 1, "test_b")
    log.pytest_runtest_logstart("tests/a.py::test_b")
    log.pytest_runtest_logreport(
        pytest.TestReport("tests/a.py::test_b", where, {}, "passed", None, "call", duration=2.0)
    )
    log.pytest_runtest_logstart("tests/a.py::test_c")

    posted = [line.split(maxsplit=2)[2] for line in cases.read_text().splitlines()]
    assert posted[1:] == [
        "begins tests/a.py::test_b",
        "passed tests/a.py::test_b in 2.0 s",
        "begins tests/a.py::test_c",
    ]
