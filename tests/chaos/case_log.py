"""Logs a run of `make chaos` line by line to a file, which remains after an interrupted run."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

CASES = Path(os.environ.get("CHAOS_CASES", "build/chaos-cases.txt"))


class CaseLog:
    """A pytest plugin of the process that runs or distributes the cases. Each line is written immediately."""

    def __init__(self, path: Path = CASES) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write(f"run of {os.getpid()}")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(f"begins {nodeid}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.failed:
            self._write(f"{report.outcome} {report.nodeid} in {report.duration:.1f} s")

    def _write(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")
