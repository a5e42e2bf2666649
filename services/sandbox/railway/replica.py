"""One replica: its process, its log, and its restarts."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from asyncio import StreamReader
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from services.sandbox.railway.model import InstanceStatus, Pace
from services.sandbox.web_server import find_free_port

KEPT_LINES = 5000  # per deployment: the most that one query may request
LONGEST_LINE = 65_536  # bytes; longer lines are cut


@dataclass(frozen=True)
class LogEntry:
    """One line of a log."""

    timestamp: datetime
    severity: str
    message: str
    replica_id: str | None = None


class LogBuffer:
    """The last lines of one deployment, or of its build."""

    def __init__(self) -> None:
        self.entries: deque[LogEntry] = deque(maxlen=KEPT_LINES)

    def write(self, message: str, *, severity: str = "info", replica_id: str | None = None) -> None:
        """Append a line with the current time."""
        self.entries.append(LogEntry(datetime.now(UTC), severity, message, replica_id))

    def write_output(self, raw: str, *, severity: str, replica_id: str) -> None:
        """Append a line of a process. A JSON line has its own level and message, as with Railway."""
        try:
            parsed = json.loads(raw) if raw.startswith("{") else None
        except ValueError:
            parsed = None
        if isinstance(parsed, dict) and isinstance(parsed.get("message"), str):
            raw, severity = parsed["message"], str(parsed.get("level", severity)).lower()
        self.write(raw, severity=severity, replica_id=replica_id)

    def find(self, log_filter: str) -> list[LogEntry]:
        """The lines that match, oldest first."""
        terms = _split(log_filter)
        return [entry for entry in self.entries if all(_matches(entry, term) for term in terms)]


async def read_lines(stream: StreamReader) -> AsyncIterator[str]:
    """Yield lines without their ending, also the last, unfinished one. Invalid UTF-8 is replaced."""
    rest = b""
    while chunk := await stream.read(LONGEST_LINE):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield _decode(line)
        rest = rest[:LONGEST_LINE]
    if rest:
        yield _decode(rest)


def _decode(line: bytes) -> str:
    return line[:LONGEST_LINE].decode("utf-8", errors="replace").rstrip("\r").replace("\0", "�")


def _split(log_filter: str) -> list[str]:
    """Words and quoted phrases: the part of Railway's syntax that the bot uses, without OR, parentheses and ranges."""
    try:
        return shlex.split(log_filter)
    except ValueError:
        return log_filter.split()


def _matches(entry: LogEntry, term: str) -> bool:
    if term.startswith("-") and len(term) > 1:
        return not _matches(entry, term[1:])
    if term.startswith("@level:"):
        return entry.severity == term.removeprefix("@level:")
    if term.startswith("replica:"):
        return entry.replica_id == term.removeprefix("replica:")
    return term.lower() in entry.message.lower()


# The variables that a child inherits from this process. Others would make it differ from a Railway container; a proxy
# variable in particular would redirect its calls to 127.0.0.1.
_INHERITED = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "SSL_CERT_FILE", "TMPDIR", "TZ", "USER")
_BOUND = Path(__file__).with_name("bound.py")


async def spawn(command: tuple[str, ...], variables: Mapping[str, str], directory: Path) -> asyncio.subprocess.Process:
    """Start `command` with its output piped. Raises OSError if it cannot be started."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return await asyncio.create_subprocess_exec(
        *_bind(command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=directory,
        env={**inherited, "PYTHONUNBUFFERED": "1", **variables},
        start_new_session=True,
    )


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signal a process and its children; one that is gone already is no error."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):  # macOS raises PermissionError for a group of zombies
        return


def _bind(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command that starts the child. On Linux the kernel kills it when the sandbox dies, even by SIGKILL.

    On other systems the child ends only if the sandbox stops it.
    """
    if sys.platform != "linux":
        return command
    return (sys.executable, "-I", "-S", str(_BOUND), str(os.getpid()), *command)


_COULD_NOT_START = 127  # the shell's exit code for a command that can't be started


@dataclass(frozen=True)
class Launch:
    """The settings for starting a replica; PORT and RAILWAY_REPLICA_ID are added."""

    command: tuple[str, ...]
    variables: Mapping[str, str]
    directory: Path
    region: str


class Replica:
    """One replica, restarted after a crash at most `pace.max_restarts` times.

    One that a person killed stays down until it is started.
    """

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
        self._ending: InstanceStatus | None = None  # its status once the process is gone, if the end was requested
        self._interrupted = asyncio.Event()
        self._tried = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process id; None while no process runs."""
        return self._process.pid if self._process else None

    @property
    def is_leaving(self) -> bool:
        """True if it is being removed, or was."""
        return self.status in (InstanceStatus.REMOVING, InstanceStatus.REMOVED)

    @property
    def is_running(self) -> bool:
        return self.status is InstanceStatus.RUNNING

    def start(self) -> None:
        """Start the process; does nothing if it runs or is being started."""
        if self._supervisor and not self._supervisor.done():
            return
        self.restarts, self._ending = 0, None
        self._interrupted.clear()
        self._tried.clear()
        self._supervisor = asyncio.create_task(self._supervise(), name=f"replica {self.id}")

    async def wait_until_tried(self) -> None:
        """Wait until the process runs, or could not be started."""
        await self._tried.wait()

    async def stop(self, drain_s: float, become: InstanceStatus = InstanceStatus.REMOVED) -> None:
        """Send SIGTERM, and SIGKILL after `drain_s` seconds. Returns when the process has ended."""
        if self._supervisor and not self._supervisor.done():
            self._end(become, signal.SIGTERM)
            self._become(InstanceStatus.REMOVING)
            self._signal(signal.SIGCONT)  # a frozen process would not handle SIGTERM
            await asyncio.wait({self._supervisor}, timeout=drain_s)
            self._signal(signal.SIGKILL)
            await asyncio.wait({self._supervisor})
        self._become(become)

    def kill(self) -> None:
        """Kill the process like the kernel's OOM killer, and leave it down."""
        self._end(InstanceStatus.CRASHED, signal.SIGKILL)

    def freeze(self) -> None:
        """Send SIGSTOP: the process stays alive, but does nothing."""
        self._signal(signal.SIGSTOP)
        self.is_frozen = self._process is not None
        self._on_change()

    def thaw(self) -> None:
        """Send SIGCONT."""
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
        """Run the process and return its exit code; negative for a signal."""
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
        if self._ending:  # its end was requested while it was being started
            self._signal(signal.SIGKILL)
        self._become(InstanceStatus.RUNNING)
        return await self._watch(process)

    async def _watch(self, process: asyncio.subprocess.Process) -> int:
        output = asyncio.gather(self._copy(process.stdout, "info"), self._copy(process.stderr, "error"))
        try:
            exit_code = await process.wait()
        finally:
            signal_group(process.pid, signal.SIGKILL)  # also its children, and also if this task is cancelled
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
