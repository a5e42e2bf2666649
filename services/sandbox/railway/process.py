"""Starts a process in a group of its own, and makes sure that nothing of it outlives the sandbox."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

# What a child keeps of our own environment. Everything else would make it differ from a Railway container; a proxy
# variable in particular would send its calls to 127.0.0.1 elsewhere.
_INHERITED = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "SSL_CERT_FILE", "TMPDIR", "TZ", "USER")
_BOUND = Path(__file__).with_name("bound.py")


async def spawn(command: tuple[str, ...], variables: Mapping[str, str], directory: Path) -> asyncio.subprocess.Process:
    """Start `command` with its output piped. Raises OSError when it cannot be started."""
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
    """Signal a process and its own children; one that is gone already is no error."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):  # macOS says PermissionError of a group of zombies
        return


def _bind(command: tuple[str, ...]) -> tuple[str, ...]:
    """Linux: the kernel kills the child when the sandbox is killed with -9. Elsewhere only an orderly end does."""
    if sys.platform != "linux":
        return command
    return (sys.executable, "-I", "-S", str(_BOUND), str(os.getpid()), *command)
