"""Starts our own processes with their modules already imported, which is most of the cost of a start.

`preload()` starts `python -m tests.preloaded`, which imports them once. If `subprocess` is then asked to start `python
-m <one of MODULES>`, the process is forked from there instead of executed. It is still a child of this process, with
the requested environment, folder, streams and session. All other programs start as usual, `python -u -m …` too.

In a run with xdist the controller also preloads the tests' modules: its workers are forked from there, so the tests are
imported once instead of once per worker, which was a tenth of the run's processor time. Each worker forks the processes
that it starts from a second process that was forked with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import inspect
import io
import itertools
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from execnet.gateway_io import popen_bootstrapline

MODULES = (
    "bot",
    "bot.cli",
    "services.api",
    "services.enforcement_worker",
    "services.ingest_worker",
    "services.sandbox.railway.faulty",
    "tests.bot_process",
    "tests.echo",
    "tests.replica",
)
IMPORTED_LATE = ("openai",)  # by the processes, at their first question
WORKER = ["-u", "-c", popen_bootstrapline]  # how xdist starts one
ROOT = Path(__file__).resolve().parents[1]
BOUND = str(ROOT / "services/sandbox/railway/bound.py")
READY_WITHIN_S = 300.0  # for all tests, on a loaded machine that compiles them first
LONGEST = 1 << 17  # bytes of a request
PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")  # as `subprocess` calls them
SUBREAPER, DIES_WITH_ITS_PARENT = 36, 1  # linux/prctl.h


@dataclass(frozen=True)
class Start:
    """A process to start. `parent`: the id of its parent. `is_bound`: the kernel kills it when its parent ends.

    Without a module it is a worker of xdist.
    """

    module: str | None
    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    has_own_session: bool
    parent: int
    is_bound: bool


class Preloaded:
    """The connection to the preloaded process, for its only client. `wait` waits until it has ended."""

    def __init__(self, requests: socket.socket, wait: Callable[[], object], *, is_ready: bool) -> None:
        self._requests = requests
        self._wait = wait
        self._is_ready = is_ready
        self._one_at_a_time = threading.Lock()

    def await_imports(self) -> None:
        if not self._is_ready:
            self._requests.settimeout(READY_WITHIN_S)
            self._receive()
            self._is_ready = True

    def start(self, wanted: Start, streams: Sequence[int]) -> int:
        """Start a process; return its id. While it starts, this process adopts orphans, so that it becomes a child of
        this one."""
        with self._one_at_a_time:
            self.await_imports()
            _prctl(SUBREAPER, 1)
            try:
                socket.send_fds(self._requests, [json.dumps(asdict(wanted)).encode()], list(streams))
                return int(self._receive())
            finally:
                _prctl(SUBREAPER, 0)

    def _receive(self) -> bytes:
        answer = self._requests.recv(LONGEST)
        if not answer:
            raise RuntimeError(f"the preloaded process ended with {self._wait()}")
        return answer

    def end(self) -> None:
        self._requests.close()  # which ends it
        self._wait()


_preloaded: Preloaded | None = None
_execute = subprocess.Popen._execute_child  # type: ignore[attr-defined]
_PARAMETERS = inspect.signature(_execute)


def preload(tests: Sequence[str] = ()) -> None:
    """Preload from now on, until this process ends. Linux only: elsewhere a process can't adopt others.

    `tests`: files and folders whose tests are imported too; xdist's workers are then forked.
    """
    if _preloaded is not None or sys.platform != "linux":
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    program = [sys.executable, "-m", "tests.preloaded", str(theirs.fileno()), *tests]
    process = subprocess.Popen(program, pass_fds=[theirs.fileno()], cwd=ROOT)
    theirs.close()
    _use(Preloaded(ours, lambda: process.wait(60), is_ready=False))


def preload_by_fork() -> bool:
    """Like `preload`, but with everything that this process has imported. Returns False in the other process and its
    children."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = os.fork()
    if process == 0:
        ours.close()
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)  # only the worker uses the pipes
        os.dup2(0, 1)
        serve(theirs)
        return False
    theirs.close()
    _use(Preloaded(ours, lambda: os.waitpid(process, 0), is_ready=True))
    return True


def _use(preloaded: Preloaded) -> None:
    global _preloaded
    _preloaded = preloaded
    subprocess.Popen._execute_child = _start  # type: ignore[attr-defined]


def await_preloaded() -> None:
    """Wait until its imports are done, so that the first test that starts a process does not wait for them."""
    if _preloaded is not None:
        _preloaded.await_imports()


def end_preloaded() -> None:
    """Stop preloading, and end the preloaded process."""
    global _preloaded
    if _preloaded is not None:
        subprocess.Popen._execute_child = _execute  # type: ignore[attr-defined]
        _preloaded.end()
        _preloaded = None


def _start(popen: Any, *given: Any) -> None:
    """Replaces `Popen._execute_child`."""
    asked = _PARAMETERS.bind(popen, *given).arguments
    wanted = _understood(asked)
    if wanted is None or _preloaded is None:
        _execute(popen, *given)
        return
    streams = [asked[name] if asked[name] != -1 else n for n, name in enumerate(("p2cread", "c2pwrite", "errwrite"))]
    try:
        popen.pid = _preloaded.start(wanted, streams)
        popen._child_created = True
    finally:
        popen._close_pipe_fds(
            *(asked[n] for n in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite"))
        )


def _understood(asked: Mapping[str, Any]) -> Start | None:
    """Return what to start by forking; None if it has to be executed."""
    if asked["preexec_fn"] or asked["pass_fds"] or asked["shell"] or not isinstance(asked["args"], list | tuple):
        return None
    command = [os.fspath(word) for word in asked["args"]]
    bound = [sys.executable, "-I", "-S", BOUND, str(os.getpid())]
    is_bound = command[: len(bound)] == bound
    program, *words = command[len(bound) :] if is_bound else command
    is_ours = words == WORKER or (words[:1] == ["-m"] and words[1] in MODULES)
    directory = os.fspath(asked["cwd"] or Path.cwd())
    environment = dict(os.environ if asked["env"] is None else asked["env"])
    if program != sys.executable or not is_ours or _has_own_code(directory, environment):
        return None
    session = asked["start_new_session"]
    module = None if words == WORKER else words[1]
    return Start(module, words[2:] if module else [], environment, directory, session, os.getpid(), is_bound)


def _has_own_code(directory: str, environment: Mapping[str, str]) -> bool:
    is_elsewhere = not ROOT.samefile(directory) and any(Path(directory, name).exists() for name in ("bot", "services"))
    return is_elsewhere or "PYTHONPATH" in environment


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def main(requests: socket.socket, tests: Sequence[str]) -> None:
    """Import the modules, then `serve`."""
    gc.disable()
    if tests:
        import_tests(tests)  # first: pytest has to rewrite its plugins during their import
    for module in IMPORTED_LATE:
        importlib.import_module(module)
    for module in MODULES:
        name = module if Path(ROOT, *module.split(".")).with_suffix(".py").exists() else f"{module}.__main__"
        importlib.import_module(name)
        del sys.modules[name]  # it is executed later, not imported
    gc.freeze()
    gc.enable()
    requests.send(b"ready")
    serve(requests)


def import_tests(tests: Sequence[str]) -> None:
    """Import the tests as pytest does, under the same names.

    If one fails, all are removed, because pytest takes a partly imported module for a complete one. The workers then
    import them all, and report the error.
    """
    options = ["--collect-only", "-p", "no:terminal", "-p", "no:cacheprovider"]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # noqa: PTH123 - not a path of ours
        ended = pytest.main([*options, *tests], plugins=[OnlyImport()])
    if ended not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
            del sys.modules[name]


class OnlyImport:
    """Creates no test items except those of Hypothesis, which reads all modules for constants once there is one."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, obj: object) -> list[pytest.Item] | None:
        from hypothesis import is_hypothesis_test  # not before pytest has imported it

        return None if is_hypothesis_test(obj) else []


def serve(requests: socket.socket) -> None:
    """Fork until the other side closes the connection. Also returns in each child, once its module has ended."""
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the client
    while True:
        request, streams, _, _ = socket.recv_fds(requests, LONGEST, 3)
        if not request:
            return
        wanted = Start(**json.loads(request))
        child = _fork(wanted, streams)
        if child is None:
            requests.detach()
            signal.signal(signal.SIGINT, interrupted)
            _run(wanted)
            return
        for stream in streams:
            os.close(stream)
        requests.send(str(child).encode())


def _run(wanted: Start) -> None:
    if wanted.module is not None:
        runpy.run_module(wanted.module, run_name="__main__", alter_sys=True)
    elif importlib.import_module("tests.preloaded").preload_by_fork():  # not in this module, which is __main__
        exec(eval(sys.stdin.readline()))  # noqa: S102, S307 - as xdist's own line does


def _fork(wanted: Start, streams: Sequence[int]) -> int | None:
    """Fork; return the child's process id, None in the child. Its parent ends immediately, so the client adopts it."""
    read_end, write_end = os.pipe()
    between = os.fork()
    if between == 0:
        child = os.fork()
        if child == 0:
            _become(wanted, streams)
            return None
        os.write(write_end, str(child).encode())
        os._exit(0)
    os.waitpid(between, 0)
    found = int(os.read(read_end, 32))
    os.close(read_end)
    os.close(write_end)
    return found


def _become(wanted: Start, streams: Sequence[int]) -> None:
    """Set up the process as `python -m <module>` would find it."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 1024)
    if wanted.has_own_session:
        os.setsid()
    os.chdir(wanted.directory)
    os.environ.clear()
    os.environ.update(wanted.environment)
    time.tzset()
    sys.path[0] = wanted.directory
    sys.argv[1:] = wanted.arguments
    if wanted.module:
        sys.orig_argv[:] = [sys.executable, "-m", wanted.module, *wanted.arguments]  # with which it may restart itself
    _open_streams(is_buffered=not wanted.environment.get("PYTHONUNBUFFERED"))
    _await_adoption(wanted)


def _open_streams(*, is_buffered: bool) -> None:
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    for number, name in ((1, "stdout"), (2, "stderr")):
        raw = io.FileIO(number, "w", closefd=False)
        buffer: Any = io.BufferedWriter(raw) if is_buffered else raw
        is_error = name == "stderr"
        stream = io.TextIOWrapper(
            buffer,
            "utf-8",
            errors="backslashreplace" if is_error else None,
            line_buffering=is_error,
            write_through=not is_buffered,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _await_adoption(wanted: Start) -> None:
    for _ in itertools.takewhile(lambda _: os.getppid() != wanted.parent, range(10_000)):
        time.sleep(0.001)
    if not wanted.is_bound:
        return
    _prctl(DIES_WITH_ITS_PARENT, signal.SIGKILL)
    if os.getppid() != wanted.parent:  # it ended before the call
        sys.exit(127)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
