"""Runs the operated processes as they run on Railway: `python -m services.…`, configured only by their environment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import pytest

from services.sandbox.web_server import find_free_port
from tests.conftest import DatabaseUrls

PATIENCE_S = 90.0  # several times the time that a busy machine needs
GIT_SHA = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"


@dataclass
class RunningProcess:
    """A process and the lines that it has written so far, from both streams."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _reader: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))
            self._more.set()

    async def line_with(self, text: str) -> str:
        """Return the first line that contains the text, already written or to come."""
        return (await self.lines_with(text, count=1))[0]

    async def lines_with(self, text: str, *, count: int) -> list[str]:
        """Return all lines that contain the text, once there are so many."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while len(found := [line for line in self.lines if text in line]) < count:
                    self._more.clear()
                    await self._more.wait()
                return found
        pytest.fail(f"not {count} times {text!r} among:\n" + "\n".join(self.lines))

    def signal(self, wanted: signal.Signals) -> None:
        self.process.send_signal(wanted)

    async def exit_code(self) -> int:
        """Return the exit code once the process has ended and all its lines are read."""
        assert self._reader
        async with asyncio.timeout(PATIENCE_S):
            await self._reader
            return await self.process.wait()

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.exit_code()


class Spawn(Protocol):
    """Starts `python -m <module>`; keywords become environment variables."""

    async def __call__(self, module: str, **environment: str) -> RunningProcess: ...


def environment_of(given: Mapping[str, str]) -> dict[str, str]:
    """Return a process's whole environment."""
    usual = {"ENVIRONMENT": "dev", "RAILWAY_GIT_COMMIT_SHA": GIT_SHA, "PYTHONUNBUFFERED": "1"}
    return {"PATH": os.environ["PATH"], **usual, **given}


@pytest.fixture
async def spawn() -> AsyncIterator[Spawn]:
    """Starts processes, and kills the remaining ones at the end of the test."""
    running: list[RunningProcess] = []

    async def start(module: str, **environment: str) -> RunningProcess:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            env=environment_of(environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        running.append(RunningProcess(process))
        return running[-1]

    yield start
    for process in running:
        await process.kill()


Ask = Callable[[], Awaitable[Any]]
Eventually = Callable[[Ask], Awaitable[Any]]


@pytest.fixture
def eventually() -> Eventually:
    """`await eventually(ask)`: asks until the answer is true, and returns it."""

    async def wait_until(ask: Ask) -> Any:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not (answer := await ask()):
                    await asyncio.sleep(0.05)
                return answer
        pytest.fail("it did not become true")

    return wait_until


@dataclass
class DatabaseGate:
    """A TCP forwarder in front of Postgres.

    Closed, it refuses connections like a stopped server; frozen, it accepts them and never answers.
    """

    target: str
    port: int = field(default_factory=find_free_port)  # unchanged when it reopens
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _pumps: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def dsn(self) -> str:
        parts = urlsplit(self.target)
        return urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{self.port}"))

    async def open(self) -> None:
        self._flowing.set()
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    async def close(self) -> None:
        self.thaw()
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(self.target)
        there_reader, there_writer = await asyncio.open_connection(parts.hostname, parts.port)
        self._writers |= {writer, there_writer}
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            self._pumps.add(asyncio.create_task(self._pump(source, sink)))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while block := await source.read(65536):
                await self._flowing.wait()
                sink.write(block)
                await sink.drain()
        sink.close()


@pytest.fixture
async def database_gate(database_urls: DatabaseUrls) -> AsyncIterator[DatabaseGate]:
    """A gate in front of a fresh database, as `dragonfly_app`; open at first."""
    gate = DatabaseGate(database_urls.app)
    await gate.open()
    yield gate
    await gate.close()
