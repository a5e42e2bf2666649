"""Loops of a process: one unexpected error is logged, and the loop goes on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from bot.loops import keep_running
from bot.wake_ups import drive
from tests.outside import until
from tests.unit.bot.test_wake_ups import Loop, end

ROOT = Path(__file__).parents[3]


def run(loop: Loop) -> Callable[[], Coroutine[Any, Any, None]]:
    async def forever() -> None:
        await drive(loop.tick)

    return forever


async def test_loop_goes_on_after_an_unexpected_error(caplog: pytest.LogCaptureFixture) -> None:
    failing, other = Loop(wait_s=0.01), Loop(wait_s=0.01)

    def fail() -> None:
        raise UnicodeError("https://calendar.example/3f9a.ics")

    async def ends() -> None:
        """Ends at once, as the listener does where no notices are delivered."""

    failing.during = fail
    tasks = keep_running(run(failing), run(other), ends, again_after_s=0.0)

    await until(lambda: failing.ticks >= 3 and other.ticks >= 3 and tasks[2].done())

    assert "run.<locals>.forever failed and was restarted: UnicodeError at " in caplog.text
    assert "3f9a" not in caplog.text
    await end(*tasks)
    assert all(task.cancelled() for task in tasks[:2])


def test_the_wiring_starts_no_loop_that_may_end_unnoticed() -> None:
    assert "create_task" not in "".join(path.read_text(encoding="utf-8") for path in (ROOT / "bot/wiring").glob("*.py"))
