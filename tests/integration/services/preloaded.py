"""Processes whose modules are imported already: `python -m tests.integration.services.preloaded` forks one per request.

A child runs what `python -m <module>` runs, in a process of its own that can be killed; it spares the imports, which
are most of a restart. For tests that restart a thousand times.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from tests.integration.services.conftest import RunningProcess, environment_of

MODULES = ("services.api", "services.ingest_worker")
ROOT = Path(__file__).resolve().parents[3]
LONGEST = 65_536  # bytes of a request


class Forked:
    """One child, as `RunningProcess` uses it. Its exit code is known to its parent only: here it is the last signal."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._last_signal = 0
        self._ended = asyncio.Event()
        self._handle = os.pidfd_open(pid)  # readable once the process has ended, and never another's
        asyncio.get_running_loop().add_reader(self._handle, self._end)

    def send_signal(self, wanted: int) -> None:
        if self.returncode is None:
            self._last_signal = wanted
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                signal.pidfd_send_signal(self._handle, wanted)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        await self._ended.wait()
        return -self._last_signal

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        self.returncode = -self._last_signal
        self._ended.set()


class Preloaded:
    """Starts processes as `Spawn` does."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._one_at_a_time = asyncio.Lock()
        self._running: list[RunningProcess] = []

    async def __call__(self, module: str, **environment: str) -> RunningProcess:
        output, theirs = os.pipe()
        request = json.dumps({"module": module, "environment": environment_of(environment)}).encode()
        try:
            async with self._one_at_a_time:
                pid = await asyncio.to_thread(self._fork, request, theirs)
        finally:
            os.close(theirs)
        stdout = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stdout), os.fdopen(output, "rb")
        )
        self._running.append(RunningProcess(Forked(pid, stdout)))
        return self._running[-1]

    def _fork(self, request: bytes, output: int) -> int:
        socket.send_fds(self._requests, [request], [output])
        return int(self._requests.recv(LONGEST))

    async def end(self) -> None:
        for process in self._running:
            await process.kill()


@contextlib.asynccontextmanager
async def preloading() -> AsyncIterator[Preloaded]:
    """A process that forks them, until the end of the block."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    program = [sys.executable, "-m", "tests.integration.services.preloaded", str(theirs.fileno())]
    parent = subprocess.Popen(program, pass_fds=[theirs.fileno()], cwd=ROOT)
    theirs.close()
    preloaded = Preloaded(ours)
    try:
        yield preloaded
    finally:
        await preloaded.end()
        ours.close()  # the parent ends with this
        await asyncio.to_thread(parent.wait, 60)


def main(requests: socket.socket) -> None:
    """Fork until the other side hangs up."""
    for module in MODULES:
        importlib.import_module(f"{module}.__main__")
        del sys.modules[f"{module}.__main__"]  # it is run, not imported
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, LONGEST, 1)
        if not request:
            return
        pid = os.fork()
        if pid == 0:
            requests.close()
            _become(**json.loads(request), output=descriptors[0])
        os.close(descriptors[0])
        requests.send(str(pid).encode())


def _become(module: str, environment: Mapping[str, str], output: int) -> None:
    """What `python -u -m <module>` is with this environment and output. Does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = []
    code = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
