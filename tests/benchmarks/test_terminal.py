"""The processor time of a terminal command, compared with an empty program and with its libraries alone."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from bot.cli import EXIT
from services.domain.status import Status
from tests.benchmarks.measuring import ms, show

ROUNDS = 5
# The libraries of a read's sources, without those that `bot.cli` skips.
LIBRARIES = (
    "import gc, sys; gc.set_threshold(50_000); sys.modules['httpx._main'] = None; "
    "import asyncio, httpx, psycopg, pydantic; pydantic.BaseModel; gc.freeze()"
)
HELP_AIM = 8.0  # times an empty program
HEALTH_AIM = 4.0  # times its libraries


@pytest.mark.benchmark
def test_help_and_health_cost_little_more_than_what_they_are_made_of() -> None:
    empty, libraries = least_s("-c", "pass"), least_s("-c", LIBRARIES)
    help_s, health_s = (least_s("-m", "bot.cli", word) for word in ("--help", "health"))

    show(
        f"terminal, least processor time of {ROUNDS} runs",
        ("an empty program", ms(empty)),
        ("--help", f"{ms(help_s)}, {help_s / empty:.1f} times"),
        ("the libraries of a read", ms(libraries)),
        ("health, without settings", f"{ms(health_s)}, {health_s / libraries:.1f} times the libraries"),
    )
    assert help_s < HELP_AIM * empty
    assert health_s < HEALTH_AIM * libraries


def least_s(*arguments: str) -> float:
    """Return the least processor time of the process without settings, over some runs after one that compiles."""
    return min([_cost_s(*arguments) for _ in range(ROUNDS + 1)][1:])


def _cost_s(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *arguments], env={}, capture_output=True, check=False)
    assert done.returncode in (0, EXIT[Status.UNKNOWN]), done.stderr.decode()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
