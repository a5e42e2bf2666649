"""In which order the tests run, and which of them in one worker.

xdist hands out whole files in the order of collection. Most files of integration tests wait for processes and clocks,
the others compute: spread evenly among each other, the ones use what the others leave of the machine.
"""

from __future__ import annotations

from typing import TypeVar

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

T = TypeVar("T")

# The files and folders that take half a minute and more in a run of several workers, the longest first: they begin
# first, so that the run does not end with one worker in a long one.
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
# Each worker that runs some of these has Postgres servers and adoptions of its own to make.
TOGETHER = ("tests/integration/civil/",)
LONGEST_CHAOS = "test_killed_in_a_batch.py"


def files_in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """The longest files first, then those that wait spread among those that compute. Keeps the order inside a file."""
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
    first = sorted((file for file in files if file.startswith(LONGEST)), key=lambda file: _place(file, LONGEST))
    others = [file for file in files if not file.startswith(LONGEST)]
    waiting = sorted((file for file in others if file.startswith(WAITING)), key=lambda file: _place(file, WAITING))
    computing = [file for file in others if not file.startswith(WAITING)]
    return [item for file in (*first, *_spread(waiting, computing)) for item in files[file]]


def cases_in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Under chaos the longest cases are spread, so that each worker begins with one."""
    longest = [item for item in items if LONGEST_CHAOS in item.nodeid]
    return _spread(longest, [item for item in items if item not in longest])


class Together(LoadFileScheduling):  # type: ignore[misc]
    """Gives a worker a whole file, or a whole folder of `TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        folder = next((folder for folder in TOGETHER if nodeid.startswith(folder)), None)
        return folder or super()._split_scope(nodeid)


def _spread(first: list[T], second: list[T]) -> list[T]:
    """Both in their order, each as thick as everywhere."""
    places = [(n / len(group), one) for group in (first, second) for n, one in enumerate(group)]
    return [one for _, one in sorted(places, key=lambda place: place[0])]


def _place(file: str, order: tuple[str, ...]) -> int:
    return next(n for n, beginning in enumerate(order) if file.startswith(beginning))
