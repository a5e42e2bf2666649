"""The leader's scheduler: intervals, dates, wake-ups, failures, the end of leadership, and a clock that steps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from prometheus_client import generate_latest

from bot.leader import Fence, LostLeadershipError
from bot.periodic_tasks import HeartbeatMonitor, PeriodicTask, Scheduler
from bot.wake_ups import WakeUp
from bot.web.metrics import Metrics
from services.domain.errors import OperatorError, SourceError
from tests.outside import PATIENCE_S, until

FENCE = Fence("bot-1", 1)
SELDOM_S = 3600.0


class Task(PeriodicTask):
    """Does `work` at each tick; `ticks` counts those that began, `at_once` the most at the same time."""

    def __init__(
        self,
        work: Callable[[], Awaitable[float | None]],
        *wake_ups: WakeUp,
        name: str = "task",
        interval_s: float | None = None,
    ) -> None:
        super().__init__(*wake_ups)
        self.name = name
        self.interval_s = interval_s
        self.retry_s = 0.01
        self.ticks = self.at_once = self._now = 0
        self.fences: set[Fence] = set()
        self._work = work

    def has_run_since(self, ticks: int) -> bool:
        return self.ticks > ticks

    async def tick(self, fence: Fence) -> float | None:
        self.fences.add(fence)
        self.ticks += 1
        self._now += 1
        self.at_once = max(self.at_once, self._now)
        try:
            return await self._work()
        finally:
            self._now -= 1


async def seldom() -> float:
    return SELDOM_S


async def at_the_interval() -> None:
    return None


class Bench:
    def __init__(self) -> None:
        self.metrics, self.monitor = Metrics(), HeartbeatMonitor()

    def scheduler(self, *tasks: PeriodicTask) -> Scheduler:
        return Scheduler(tasks, metrics=self.metrics, monitor=self.monitor, check_clock_s=0.01)

    @asynccontextmanager
    async def leading(self, *tasks: PeriodicTask) -> AsyncIterator[asyncio.Task[None]]:
        running = asyncio.create_task(self.scheduler(*tasks).run(FENCE))
        try:
            yield running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def failures(self, name: str) -> float:
        return self.metrics.registry.get_sample_value("dragonfly_bot_task_failures_total", {"task": name}) or 0.0


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_task_runs_at_once_and_then_at_its_interval(bench: Bench) -> None:
    task = Task(at_the_interval, interval_s=0.01)

    async with bench.leading(task):
        await until(lambda: task.ticks >= 3)

    assert task.fences == {FENCE}


async def test_a_task_runs_again_after_as_long_as_its_tick_reported(bench: Bench) -> None:
    async def soon() -> float:
        return 0.01 if task.ticks < 4 else SELDOM_S

    task = Task(soon)

    async with bench.leading(task):
        await until(lambda: task.ticks == 4)
        await asyncio.sleep(0.05)

    assert task.ticks == 4


async def test_the_first_tick_waits_when_the_task_reports_so(bench: Bench) -> None:
    late, early = Task(seldom, name="late"), Task(seldom, name="early")
    late.first_after_s = SELDOM_S

    async with bench.leading(late, early):
        await until(lambda: early.ticks == 1)

    assert late.ticks == 0


@pytest.mark.parametrize("interval_s", [None, SELDOM_S])
async def test_a_wake_up_runs_it_now_however_long_it_would_wait(bench: Bench, interval_s: float | None) -> None:
    wake_up = WakeUp()
    task = Task(seldom if interval_s is None else at_the_interval, wake_up, interval_s=interval_s)

    async with bench.leading(task):
        await until(lambda: task.ticks == 1)
        for _ in range(3):
            await asyncio.sleep(0.01)  # it waits again
            before = task.ticks
            wake_up.set()
            await until(partial(task.has_run_since, before))


@pytest.mark.parametrize("interval_s", [None, SELDOM_S])
async def test_wake_ups_during_a_tick_make_one_more_and_never_two_at_once(
    bench: Bench, interval_s: float | None
) -> None:
    wake_up, go_on = WakeUp(), asyncio.Event()

    async def wait() -> None:
        await go_on.wait()

    task = Task(wait, wake_up, interval_s=interval_s)

    async with bench.leading(task):
        await until(lambda: task.ticks == 1)
        for _ in range(3):
            wake_up.set()
            await asyncio.sleep(0)
        go_on.set()
        await until(lambda: task.ticks == 2)
        await asyncio.sleep(0.05)

    assert (task.ticks, task.at_once) == (2, 1)


async def test_a_tick_longer_than_the_interval_is_not_run_twice_at_once(bench: Bench) -> None:
    async def long() -> None:
        await asyncio.sleep(0.05)

    task = Task(long, interval_s=0.01)

    async with bench.leading(task):
        await until(lambda: task.ticks >= 3)

    assert task.at_once == 1


async def test_the_lost_lease_ends_everything_before_run_returns(bench: Bench) -> None:
    cancelled: list[str] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            cancelled.append("hanging")

    async def lose() -> None:
        await asyncio.sleep(0.01)
        raise LostLeadershipError

    often = Task(at_the_interval, name="often", interval_s=0.001)
    with pytest.raises(LostLeadershipError):
        async with asyncio.timeout(PATIENCE_S):
            await bench.scheduler(Task(hang, name="hanging"), Task(lose, name="losing"), often).run(FENCE)
    ticks = often.ticks
    await asyncio.sleep(0.05)

    assert cancelled == ["hanging"]
    assert often.ticks == ticks


async def test_cancelling_ends_what_runs_and_wakes_nothing_afterwards(bench: Bench) -> None:
    wake_up = WakeUp()

    async def hang() -> None:
        await asyncio.Event().wait()

    hanging, waiting = Task(hang, wake_up, name="hanging"), Task(seldom, wake_up, name="waiting")
    async with bench.leading(hanging, waiting):
        await until(lambda: (hanging.ticks, waiting.ticks) == (1, 1))
    wake_up.set()
    await asyncio.sleep(0.05)

    assert (hanging.ticks, waiting.ticks) == (1, 1)


@pytest.mark.parametrize(
    "error", [SourceError("database", "it is away"), OperatorError("x", why="it is away", what_next="wait")]
)
async def test_a_failure_is_logged_counted_and_tried_again(
    bench: Bench, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    raised = 0
    is_away = True

    async def ask() -> float:
        nonlocal raised
        if is_away:
            raised += 1
            raise error
        return SELDOM_S

    task = Task(ask)
    task.late_after_s = SELDOM_S
    async with bench.leading(task):
        await until(lambda: raised >= 2)
        assert bench.monitor.late() == ["task"]
        is_away = False
        await until(lambda: bench.monitor.late() == [])

    assert bench.failures("task") == raised
    assert caplog.text.count("task: it is away") == raised
    assert "dragonfly_bot_task_failures_total" in generate_latest(bench.metrics.registry).decode()


async def test_a_bug_in_one_task_stops_no_other_and_is_reported_until_it_is_gone(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    is_mended = False

    async def stumble() -> float:
        if not is_mended:
            raise KeyError("a secret address")
        return SELDOM_S

    stumbling, other = Task(stumble, name="stumbling"), Task(at_the_interval, name="other", interval_s=0.01)
    async with bench.leading(stumbling, other):
        await until(lambda: stumbling.ticks >= 2)
        before = other.ticks
        await until(lambda: other.ticks > before)
        assert bench.monitor.late() == ["stumbling"]
        is_mended = True
        await until(lambda: bench.monitor.late() == [])

    assert "stumbling failed: KeyError at " in caplog.text
    assert "a secret address" not in caplog.text


@pytest.mark.parametrize("step", [timedelta(minutes=-15), timedelta(minutes=15)])
async def test_a_step_of_the_clock_delays_nothing(
    bench: Bench, step: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    stepped = timedelta()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override] # the base class does the same
            return datetime.now(tz) + stepped

    async def soon() -> float:
        return 0.05

    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Clock)
    monkeypatch.setattr("bot.periodic_tasks.datetime", Clock)
    polls, dated = Task(at_the_interval, name="polls", interval_s=0.05), Task(soon, name="dated")

    async with bench.leading(polls, dated):
        await until(lambda: min(polls.ticks, dated.ticks) >= 2)
        stepped = step
        before = (polls.ticks, dated.ticks)
        await until(lambda: polls.ticks >= before[0] + 3 and dated.ticks >= before[1] + 3)


async def test_a_small_correction_of_the_clock_is_no_step(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stepped = timedelta()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override] # the base class does the same
            return datetime.now(tz) + stepped

    monkeypatch.setattr("bot.periodic_tasks.datetime", Clock)
    task = Task(seldom)

    async with bench.leading(task):
        await until(lambda: task.ticks == 1)
        stepped = timedelta(milliseconds=-100)
        await asyncio.sleep(0.05)

    assert task.ticks == 1
    assert "stepped" not in caplog.text


async def test_the_scheduler_reports_nothing_of_each_run(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    task = Task(at_the_interval, interval_s=0.01)

    async with bench.leading(task):
        await until(lambda: task.ticks >= 3)

    assert caplog.text == ""
