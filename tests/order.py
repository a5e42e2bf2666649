"""The order of the tests, and which of them run in one worker.

xdist distributes whole files in the order of collection. Most integration tests wait for processes and clocks, the
others compute: mixed evenly, the computing ones use the processor time that the waiting ones leave.
"""

from __future__ import annotations

from typing import TypeVar

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

T = TypeVar("T")

# Files and folders that take 30 s or more in a run with several workers, longest first: they begin
# first, so that the run does not end with one worker in a long file.
LONGEST = (
    "tests/e2e/test_incident_stories.py",
    "tests/integration/civil/",
    "tests/integration/stored/test_carried_on.py",
    "tests/integration/bot/running/test_runs_in_slack.py",
    "tests/integration/bot/runs/test_faults.py",
    "tests/e2e/test_changes.py",
    "tests/integration/bot/running/test_outbox.py",
    "tests/integration/bot/running/test_outage.py",
)
LONG = (
    "tests/integration/bot/runs/test_recovery.py",
    "tests/scenarios/test_floods.py",
    "tests/integration/bot/runs/test_database_rollback.py",
    "tests/e2e/test_alert.py",
    "tests/scenarios/test_freezes.py",
    "tests/scenarios/test_changes.py",
    "tests/scenarios/test_nights.py",
    "tests/integration/bot/runs/test_golden_path.py",
    "tests/integration/services/job_queue/test_process.py",
    "tests/integration/bot/running/test_alerts.py",
    "tests/integration/bot/running/test_silences.py",
    "tests/integration/bot/running/test_railway_quota.py",
    "tests/integration/bot/setup/test_prove.py",
    "tests/integration/bot/test_canaries.py",
    "tests/e2e/",
    "tests/integration/test_wheel.py",
    "tests/integration/bot/running/test_dialogs.py",
    "tests/scenarios/",
    "tests/chaos/",
    "tests/integration/bot/runs/",
    "tests/integration/bot/running/",
)
WAITING = (*LONG, "tests/integration/")
# Each worker that runs some of these has to create its own Postgres servers and adoptions.
TOGETHER = ("tests/integration/civil/",)
LONGEST_CHAOS = "test_killed_in_a_batch.py"


def files_in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Order the files: the longest first, then waiting and computing ones mixed. The order within a file stays."""
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
    first = sorted((file for file in files if file.startswith(LONGEST)), key=lambda file: _place(file, LONGEST))
    others = [file for file in files if not file.startswith(LONGEST)]
    waiting = sorted((file for file in others if file.startswith(WAITING)), key=lambda file: _place(file, WAITING))
    computing = [file for file in others if not file.startswith(WAITING)]
    return [item for file in (*first, *_spread(waiting, computing)) for item in files[file]]


def cases_in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Order the chaos cases: the longest are spread, so that each worker begins with one."""
    longest = [item for item in items if LONGEST_CHAOS in item.nodeid]
    return _spread(longest, [item for item in items if item not in longest])


class Together(LoadFileScheduling):  # type: ignore[misc]
    """Gives a worker a whole file, or a whole folder of `TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        folder = next((folder for folder in TOGETHER if nodeid.startswith(folder)), None)
        return folder or super()._split_scope(nodeid)


def _spread(first: list[T], second: list[T]) -> list[T]:
    """Mix both lists evenly; each keeps its order."""
    places = [(n / len(group), one) for group in (first, second) for n, one in enumerate(group)]
    return [one for _, one in sorted(places, key=lambda place: place[0])]


def _place(file: str, order: tuple[str, ...]) -> int:
    return next(n for n, beginning in enumerate(order) if file.startswith(beginning))
