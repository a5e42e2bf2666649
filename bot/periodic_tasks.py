"""The leader's periodic tasks: each is a job of one APScheduler, which runs while this process holds the lease.

A task runs at its interval, at the time that its last tick returned, and at its wake-ups; never twice at once. A task
that fails is logged, counted and retried; the others continue. Losing the lease ends them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from bot.leader import Fence, LostLeadershipError
from bot.wake_ups import WakeUp
from bot.web.metrics import Metrics
from services.domain.errors import OperatorError, SourceError
from services.process import describe_error

logger = logging.getLogger(__name__)


class PeriodicTask(ABC):
    """Work that the leader repeats. `name` is unique; logs, `/healthz` and metrics show it.

    `interval_s`: time between ticks; None: the last tick returns it. `first_after_s`: delay after the lease was taken.
    `retry_s`: delay after a failure. `late_after_s`: age of the last good tick from which pages may be missing, so
    that the dead man's switch stops its pings; None: the task pages no one.
    """

    name: str
    interval_s: float | None = None
    first_after_s = 0.0
    retry_s = 5.0
    late_after_s: float | None = None

    def __init__(self, *wake_ups: WakeUp) -> None:
        self.wake_ups = wake_ups

    @abstractmethod
    async def tick(self, fence: Fence) -> float | None:
        """Do what is due. Return the seconds until the next tick; None: at the interval or at a wake-up only.

        Raises LostLeadershipError, SourceError, and OperatorError if another person acted first.
        """

    @contextlib.asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        """Context that is open around all ticks of one term as leader."""
        yield


class HeartbeatMonitor:
    """Keeps the checkpoint of each task: the time of its last good tick, by the event loop's clock.

    `late` lists the tasks whose checkpoint is too old or missing.
    """

    def __init__(self) -> None:
        self._checkpoints: dict[str, float] = {}
        self._late_after_s: dict[str, float] = {}
        self._failing: set[str] = set()

    def part(self, name: str, *, late_after_s: float) -> Callable[[], None]:
        """Monitor a task. Returns the callback to call after each good tick."""
        self._late_after_s[name] = late_after_s
        return partial(self.finished, name)

    def finished(self, name: str) -> None:
        """Record a good tick."""
        self._checkpoints[name] = asyncio.get_running_loop().time()
        self._failing.discard(name)

    def failed(self, name: str) -> None:
        """Record a tick that failed with a bug: the task counts as late until its next good tick."""
        self._failing.add(name)

    def late(self) -> list[str]:
        """List the tasks that are late now, in the order of registration."""
        now = asyncio.get_running_loop().time()
        late = [
            name for name, limit in self._late_after_s.items() if now - self._checkpoints.get(name, -limit - 1) > limit
        ]
        return [*late, *sorted(self._failing.difference(late))]


CHECK_CLOCK_S = 1.0
STEP_S = 0.25  # a larger change is a step: a slewed clock changes by 0.5 ms per second at most


class Scheduler:
    """Runs the periodic tasks; `bot.leader.Leader` runs it while it holds the lease."""

    def __init__(
        self,
        tasks: Sequence[PeriodicTask],
        *,
        metrics: Metrics,
        monitor: HeartbeatMonitor,
        check_clock_s: float = CHECK_CLOCK_S,
    ) -> None:
        self._tasks = tasks
        self._metrics = metrics
        self._monitor = monitor
        self._check_clock_s = check_clock_s
        for task in tasks:
            if task.late_after_s is not None:
                monitor.part(task.name, late_after_s=task.late_after_s)

    async def run(self, fence: Fence) -> None:
        """Run all tasks until cancelled. Raises LostLeadershipError."""
        async with contextlib.AsyncExitStack() as stack:
            for task in self._tasks:
                await stack.enter_async_context(task.leading())
            try:
                async with asyncio.TaskGroup() as group:
                    jobs = _Jobs(self._tasks, lambda task: self._tick(task, fence), group)
                    with jobs.running():
                        await jobs.follow_clock(self._check_clock_s)
            except* LostLeadershipError:
                raise LostLeadershipError from None

    async def _tick(self, task: PeriodicTask, fence: Fence) -> float | None:
        try:
            wait_s = await task.tick(fence)
        except LostLeadershipError:
            raise
        except (SourceError, OperatorError) as error:
            logger.warning("%s: %s", task.name, error.why)
        except Exception as error:  # a bug in one task must not keep the others from paging
            logger.error("%s failed: %s", task.name, describe_error(error))  # noqa: TRY400 - may hold an address
            self._monitor.failed(task.name)
        else:
            self._monitor.finished(task.name)
            return wait_s
        self._metrics.task_failures.labels(task.name).inc()
        return task.retry_s


class _Jobs(BaseExecutor):  # type: ignore[misc] # APScheduler has no types
    """The tasks as jobs of one scheduler, and its executor. `group` runs the ticks; an error that leaves
    `tick`, such as the lost leadership, ends the group."""

    def __init__(
        self,
        tasks: Sequence[PeriodicTask],
        tick: Callable[[PeriodicTask], Coroutine[Any, Any, float | None]],
        group: asyncio.TaskGroup,
    ) -> None:
        super().__init__()
        self._tasks = {task.name: task for task in tasks}
        self._tick = tick
        self._group = group
        self._running: set[str] = set()
        self._woken: set[str] = set()  # woken while running: they run once more
        self._has_failed = False
        # UTC as an object, neither by name nor the machine's own zone, so no time zone database is needed.
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            executors={"default": self},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Schedule and run the tasks inside this block."""
        with contextlib.ExitStack() as stack:
            for task in self._tasks.values():
                self._plan(task, task.first_after_s)
                for wake_up in task.wake_ups:
                    stack.enter_context(wake_up.listen(partial(self._wake, task)))
            self._scheduler.start()
            try:
                yield
            finally:
                self._scheduler.pause()  # at once; the shutdown takes effect in the event loop's next iteration
                self._scheduler.shutdown(wait=False)

    async def follow_clock(self, every_s: float) -> None:
        """Watch the wall clock until cancelled. APScheduler waits by it, so a step back would delay every job by as
        much: then all jobs run now and are planned again. A step forward only makes them run early."""
        loop = asyncio.get_running_loop()
        offset = datetime.now(UTC).timestamp() - loop.time()
        while True:
            await asyncio.sleep(every_s)
            before, offset = offset, datetime.now(UTC).timestamp() - loop.time()
            if before - offset > STEP_S:
                logger.warning("the clock stepped back by %.1f s: every periodic task runs now", before - offset)
                for job in self._scheduler.get_jobs():
                    job.modify(next_run_time=datetime.now(UTC))

    def _wake(self, task: PeriodicTask) -> None:
        if task.name in self._running:
            self._woken.add(task.name)
        else:
            self._plan(task, 0.0)

    def _plan(self, task: PeriodicTask, wait_s: float) -> None:
        at = datetime.now(UTC) + timedelta(seconds=wait_s)
        job = self._scheduler.get_job(task.name)
        if job is not None:
            job.modify(next_run_time=at)
            return
        interval_s = task.interval_s
        trigger = (
            DateTrigger(at, timezone=UTC) if interval_s is None else IntervalTrigger(seconds=interval_s, timezone=UTC)
        )
        self._scheduler.add_job(self._tick, trigger, (task,), id=task.name, next_run_time=at)

    def _do_submit_job(self, job: Job, run_times: Sequence[datetime]) -> None:  # noqa: ARG002 - as the base class has it
        if self._has_failed:
            return
        self._running.add(job.id)
        self._woken.discard(job.id)
        self._group.create_task(job.func(*job.args), name=job.id).add_done_callback(partial(self._end, job.id))

    def _end(self, name: str, ended: asyncio.Task[float | None]) -> None:
        if ended.cancelled() or ended.exception() is not None:
            self._has_failed = True  # the group ends: start no further tick
            return
        self._run_job_success(name, [])
        self._running.discard(name)
        wait_s = 0.0 if name in self._woken else ended.result()
        if wait_s is not None:
            self._plan(self._tasks[name], wait_s)
