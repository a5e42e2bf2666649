"""The server's process: what keeps it alive, what it says of itself, and how it is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

STOP_TIMEOUT_S = 15.0

# Postgres must outlive a Ctrl-C in the terminal until the orderly stop, yet never its parent: it has a session of its
# own, and this guard ends it (fast shutdown) when the other end of its standard input closes.
GUARD = """
exec 3<&0
"$@" 3<&- </dev/null & server=$!
{ read -r _ <&3; kill -INT "$server"; } 2>/dev/null & watcher=$!
wait "$server"; code=$?
kill "$watcher" 2>/dev/null
exit "$code"
"""


def read_status(data: Path) -> str:
    """What the server says of itself: `starting`, `ready`, `stopping`; empty when there is none."""
    lines = _pid_file(data)
    return lines[7].strip() if len(lines) > 7 else ""


def end_left_over(data: Path) -> None:
    """End a server that outlived its guard, and remove a pid file whose number now belongs to another program.

    We hold the lock, so nobody uses such a server any more.
    """
    lines = _pid_file(data)
    if not lines or not lines[0].strip().isdigit():
        return
    pid = int(lines[0])
    if str(data) not in _command_line(pid):
        (data / "postmaster.pid").unlink(missing_ok=True)
        return
    _signal(pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while str(data) in _command_line(pid) and time.monotonic() < deadline:
        time.sleep(0.05)


def end_server(process: subprocess.Popen[bytes], data: Path) -> None:
    """Ask for a fast shutdown, and insist when that takes too long."""
    pid = next((int(line) for line in _pid_file(data)[:1] if line.strip().isdigit()), None)
    if process.stdin is not None:
        process.stdin.close()
    else:
        _signal(pid, signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        _signal(pid, signal.SIGQUIT)  # immediate; the next start recovers
        process.wait(STOP_TIMEOUT_S)


def _pid_file(data: Path) -> list[str]:
    """The lines of `postmaster.pid`: pid, data folder, start, port, socket folder, address, memory, status."""
    with contextlib.suppress(OSError):
        return (data / "postmaster.pid").read_text().splitlines()
    return []


def _command_line(pid: int) -> str:
    """The program and arguments of a process; empty when it is gone."""
    if Path("/proc/self/cmdline").exists():  # slim containers have no `ps`
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        return ""
    command = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - a number only


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
