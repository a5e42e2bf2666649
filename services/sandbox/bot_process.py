"""Runs the unmodified bot as processes of its own, and a script for its command line."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from services.sandbox.railway.replica import signal_group, spawn

STOP_WITHIN_S = 12.0  # the bot flushes what it still has to say


class BotProcess:
    """One replica of the bot."""

    def __init__(self, variables: Mapping[str, str], *, working_directory: Path, log_file: Path) -> None:
        self.variables = dict(variables)
        self._directory = working_directory
        self._log_file = log_file
        self._process: asyncio.subprocess.Process | None = None
        self._copying: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start it; does not wait until it is connected."""
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        self._process = await spawn((sys.executable, "-m", "bot"), self.variables, self._directory)
        self._copying = asyncio.create_task(self._copy_output(self._process))

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that takes too long."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        await self._end(signal.SIGKILL)

    def last_words(self, lines: int = 15) -> str:
        """The end of its output, for a person to read when it does not start."""
        try:
            return "\n".join(self._log_file.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    async def _end(self, wanted: signal.Signals) -> None:
        if self._process is None:
            return
        signal_group(self._process.pid, wanted)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            signal_group(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        if self._copying:
            await self._copying

    async def _copy_output(self, process: asyncio.subprocess.Process) -> None:
        with self._log_file.open("ab", buffering=0) as log:
            streams = [stream for stream in (process.stdout, process.stderr) if stream]
            await asyncio.gather(*(_copy(stream, log.write) for stream in streams))


class BotReplicas:
    """All replicas of one sandbox: what the page kills and starts (`page.faults.BotFaults`)."""

    def __init__(self) -> None:
        self.all: list[BotProcess] = []

    def bot_running(self) -> bool:
        return any(bot.is_running for bot in self.all)

    async def kill_bot(self) -> None:
        await asyncio.gather(*(bot.kill() for bot in self.all if bot.is_running))

    async def start_bot(self) -> None:
        for bot in self.all:
            if not bot.is_running:
                await bot.start()


async def _copy(stream: asyncio.StreamReader, write: Callable[[bytes], object]) -> None:
    while chunk := await stream.read(65_536):
        write(chunk)


NAME = "dragonfly"


def write_terminal(directory: Path, variables: Mapping[str, str], *, working_directory: Path) -> Path:
    """Write `dragonfly` into the sandbox's folder: the CLI with the bot's environment and nothing of the caller's.

    Only its owner may read it, as the variables are secrets elsewhere.
    """
    path = directory / NAME
    path.unlink(missing_ok=True)
    path.touch(mode=0o700)
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(variables.items()))
    path.write_text(
        "#!/bin/sh\n"
        "# Made at each start of the sandbox: the terminal's side of its bot.\n"
        f"cd {shlex.quote(str(working_directory))} || exit 1\n"
        f'exec env -i HOME="$HOME" PATH="$PATH" LANG="${{LANG:-C.UTF-8}}" {given} '
        f'{shlex.quote(sys.executable)} -m bot.cli "$@"\n'
    )
    return path
