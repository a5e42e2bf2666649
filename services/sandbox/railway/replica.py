"""One replica: a process, its output, and what happens when it ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from services.sandbox.ports import find_free_port
from services.sandbox.railway.logs import LogBuffer, read_lines
from services.sandbox.railway.model import InstanceStatus, Pace
from services.sandbox.railway.process import signal_group, spawn

_COULD_NOT_START = 127  # the shell's exit code for it


@dataclass(frozen=True)
class Launch:
    """How to start a replica; PORT and RAILWAY_REPLICA_ID are added."""

    command: tuple[str, ...]
    variables: Mapping[str, str]
    directory: Path
    region: str


class Replica:
    """Restarts after a crash, at most `pace.max_restarts` times; one killed by a person stays down until started."""

    def __init__(self, launch: Launch, *, pace: Pace, logs: LogBuffer, on_change: Callable[[], None]) -> None:
        self.id = str(uuid4())
        self.region = launch.region
        self.status = InstanceStatus.CREATED
        self.is_frozen = False
        self.restarts = 0
        self.port: int | None = None
        self._launch = launch
        self._pace = pace
        self._logs = logs
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._ending: InstanceStatus | None = None  # what it is to become once its process is gone
        self._interrupted = asyncio.Event()
        self._tried = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """None while no process runs."""
        return self._process.pid if self._process else None

    @property
    def is_leaving(self) -> bool:
        """Whether it is being taken away, or is gone for good."""
        return self.status in (InstanceStatus.REMOVING, InstanceStatus.REMOVED)

    @property
    def is_running(self) -> bool:
        return self.status is InstanceStatus.RUNNING

    def start(self) -> None:
        """Start the process; nothing when it runs or is about to."""
        if self._supervisor and not self._supervisor.done():
            return
        self.restarts, self._ending = 0, None
        self._interrupted.clear()
        self._tried.clear()
        self._supervisor = asyncio.create_task(self._supervise(), name=f"replica {self.id}")

    async def wait_until_tried(self) -> None:
        """Until its process runs, or could not be started."""
        await self._tried.wait()

    async def stop(self, drain_s: float, become: InstanceStatus = InstanceStatus.REMOVED) -> None:
        """SIGTERM, `drain_s` seconds of patience, SIGKILL. Returns when the process is gone."""
        if self._supervisor and not self._supervisor.done():
            self._end(become, signal.SIGTERM)
            self._become(InstanceStatus.REMOVING)
            self._signal(signal.SIGCONT)  # a frozen process would sleep through its SIGTERM
            await asyncio.wait({self._supervisor}, timeout=drain_s)
            self._signal(signal.SIGKILL)
            await asyncio.wait({self._supervisor})
        self._become(become)

    def kill(self) -> None:
        """Kill it like the kernel's OOM killer would, and leave it down."""
        self._end(InstanceStatus.CRASHED, signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: the process lives, and does nothing."""
        self._signal(signal.SIGSTOP)
        self.is_frozen = self._process is not None
        self._on_change()

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)
        self.is_frozen = False
        self._on_change()

    async def _supervise(self) -> None:
        while True:
            exit_code = await self._run_once()
            if self._ending or exit_code == 0 or self.restarts >= self._pace.max_restarts:
                break
            self.restarts += 1
            self._become(InstanceStatus.RESTARTING)
            if await self._is_interrupted_within(self._pace.restart_delay_s):
                break
        self._become(self._ending or (InstanceStatus.CRASHED if exit_code else InstanceStatus.EXITED))

    async def _run_once(self) -> int:
        """The exit code; negative for a signal."""
        self.port = find_free_port()
        own = {"PORT": str(self.port), "RAILWAY_REPLICA_ID": self.id, "RAILWAY_REPLICA_REGION": self.region}
        try:
            process = await spawn(self._launch.command, {**self._launch.variables, **own}, self._launch.directory)
        except OSError as exc:
            self._write(f"The container could not be started: {exc.strerror}", "error")
            self._tried.set()
            return _COULD_NOT_START
        self._process = process
        self._tried.set()
        if self._ending:  # asked to end while it was being started
            self._signal(signal.SIGKILL)
        self._become(InstanceStatus.RUNNING)
        return await self._watch(process)

    async def _watch(self, process: asyncio.subprocess.Process) -> int:
        output = asyncio.gather(self._copy(process.stdout, "info"), self._copy(process.stderr, "error"))
        try:
            exit_code = await process.wait()
        finally:
            signal_group(process.pid, signal.SIGKILL)  # its own children too, also when we are cancelled
            await process.wait()
            await output
            self._process, self.is_frozen = None, False
        if exit_code and not self._ending:
            self._write(f"The process ended with exit code {exit_code}", "error")
        return exit_code

    async def _copy(self, stream: asyncio.StreamReader | None, severity: str) -> None:
        if stream is None:
            return
        async for line in read_lines(stream):
            self._logs.write_output(line, severity=severity, replica_id=self.id)

    async def _is_interrupted_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._interrupted.wait()
        except TimeoutError:
            return False

    def _end(self, become: InstanceStatus, number: signal.Signals) -> None:
        self._ending = become
        self._interrupted.set()
        self._signal(number)

    def _signal(self, number: signal.Signals) -> None:
        if self._process:
            signal_group(self._process.pid, number)

    def _write(self, message: str, severity: str) -> None:
        self._logs.write(message, severity=severity, replica_id=self.id)

    def _become(self, status: InstanceStatus) -> None:
        if status is not self.status:
            self.status = status
            self._on_change()
