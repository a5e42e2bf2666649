"""A worker process from its banner to its exit code, with its maintenance tasks."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from services.clients.postgres.listen import Listener
from services.clients.postgres.pool import Database
from services.domain.errors import SourceError
from services.domain.services import WorkerType
from services.domain.systems import RUNBOOK
from services.job_queue.heartbeat import WorkerHeartbeat, WorkerState, run_unless
from services.job_queue.jobs import Handler
from services.job_queue.worker import CRASH_LOOP_AFTER, CrashLoopError, WorkerLoop, WorkerSettings
from services.process import await_database, log_to_streams

WIDTH = 69  # columns between the box's sides, as the runbook draws it


def starting_banner(*, worker_id: str, worker_type: str, environment: str, git_sha: str, python: str) -> str:
    """The box as one text of several lines; a value that is too long for it is cut."""
    facts = [
        ("Worker ID:", worker_id),
        ("Worker Type:", worker_type),
        ("Environment:", environment),
        ("Git SHA:", git_sha),
        ("Python:", python),
    ]
    title = " " * 20 + "DRAGONFLY WORKER STARTING"
    lines = [title, *(f"  {label:<13} {value}" for label, value in facts)]
    top, *rest = (f"│{line[:WIDTH]:<{WIDTH}}│" for line in lines)
    return "\n".join([_rule("┌", "┐"), top, _rule("├", "┤"), *rest, _rule("└", "┘")])


def _rule(left: str, right: str) -> str:
    return left + "─" * WIDTH + right


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MaintenanceTask:
    """A task that each worker runs at its start and every `every_s` seconds; it must itself prevent double work."""

    name: str
    every_s: float
    do: Callable[[Database], Awaitable[None]]

    async def run(self, database: Database) -> None:
        """Run the task again and again, until cancelled. If the database fails, the next run retries."""
        while True:
            try:
                await self.do(database)
            except SourceError as error:
                log.warning("%s: %s", self.name, error.why)
            await asyncio.sleep(self.every_s)


JOBS_CHANNEL = "dragonfly_jobs"  # sql/migrations/operated: ops.announce_job
EXIT_OK, EXIT_FAILED = 0, 1


def run_worker(
    worker_type: WorkerType,
    handlers: Mapping[str, Handler],
    settings: WorkerSettings,
    *,
    notices: Sequence[str] = (),
    maintenance: Sequence[MaintenanceTask] = (),
) -> int:
    """Run one worker until SIGTERM or SIGINT, and return the process's exit code.

    `handlers` is `{job type: handler}`; `notices` are logged below the banner; `maintenance` tasks run beside the jobs.
    """
    log_to_streams(settings.log_format)
    return asyncio.run(_Worker(worker_type, handlers, settings, maintenance).run(notices))


class _Worker:
    def __init__(
        self,
        worker_type: WorkerType,
        handlers: Mapping[str, Handler],
        settings: WorkerSettings,
        maintenance: Sequence[MaintenanceTask],
    ) -> None:
        self._settings = settings
        self._maintenance = maintenance
        self._type = worker_type
        # A new id per start, never Railway's replica id: a crashed process's job must not look owned by its successor.
        service = RUNBOOK.service_of_worker(worker_type)
        assert service is not None  # noqa: S101 - our own worker
        self._id = f"{service.short}-{secrets.token_hex(3)}"
        self._stop, self._wake_up, self._state = asyncio.Event(), asyncio.Event(), WorkerState()
        # The runbook finds these sessions with LIKE 'dragonfly%'.
        self._name = f"{service}:{self._id}"
        self._database = self._connect(self._name, settings.sessions)
        # This name shows other workers that the process is alive (ops.reap_jobs).
        self._heartbeat_database = self._connect(f"{self._name}:beat", 1)
        self._heartbeat = WorkerHeartbeat(
            self._state,
            worker_id=self._id,
            worker_type=worker_type,
            git_sha=settings.git_sha,
            database=self._heartbeat_database,
            work_database=self._database,
        )
        self._loop = WorkerLoop(
            worker_id=self._id,
            worker_type=worker_type,
            handlers=handlers,
            database=self._database,
            settings=settings,
            state=self._state,
            stop=self._stop,
            wake=self._wake_up,
        )

    async def run(self, notices: Sequence[str]) -> int:
        self._print_banner()
        for notice in notices:
            log.warning("%s", notice)
        for wanted in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(wanted, self._begin_stop)
        code = EXIT_FAILED
        try:
            code = await self._work()
        except Exception:
            log.critical("[%s] CRITICAL: the worker failed", self._type, exc_info=True)
        finally:
            self._state.become("error" if code else "stopped")
            await self._heartbeat.beat()
            await self._database.close()
            await self._heartbeat_database.close()
        log.info("Worker stopped")
        return code

    async def _work(self) -> int:
        await run_unless(self._stop, await_database(self._database, pool_size=self._settings.sessions))
        if self._stop.is_set():
            return EXIT_OK
        self._state.become("running")
        listener = Listener(self._settings.dsn, {JOBS_CHANNEL: self._wake_up.set}, application_name=self._name)
        async with asyncio.TaskGroup() as group:
            beside = [
                group.create_task(self._heartbeat.run(every_s=self._settings.heartbeat_every_s)),
                group.create_task(listener.run()),
                *(group.create_task(chore.run(self._database)) for chore in self._maintenance),
            ]
            try:
                await self._loop.run()
            except CrashLoopError:
                log.critical("[%s] CRITICAL: Crash loop detected after %d failures", self._type, CRASH_LOOP_AFTER)
                return EXIT_FAILED
            finally:
                for task in beside:
                    task.cancel()
        return EXIT_OK

    def _begin_stop(self) -> None:
        log.info("Stop requested: finishing the current job, at most %g s", self._settings.stop_grace_s)
        self._stop.set()
        self._state.become("stopping")

    def _connect(self, name: str, max_size: int) -> Database:
        return Database.connect_lazily(self._settings.dsn, application_name=name, max_size=max_size)

    def _print_banner(self) -> None:
        banner = starting_banner(
            worker_id=self._id,
            worker_type=self._type,
            environment=self._settings.environment,
            git_sha=self._settings.git_sha,
            python=self._settings.python_version,
        )
        for line in banner.splitlines():
            log.info("%s", line)
