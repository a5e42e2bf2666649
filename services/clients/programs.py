"""Runs another program to its end, and kills it with its children when the caller is cancelled."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile


async def run_program(
    *arguments: str,
    stdin: bytes = b"",
    directory: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[int, bytes, bytes]:
    """Run a program and return its exit code, output and error output.

    If the caller is cancelled, the program and its children are killed. Raises OSError if there is no such program or
    directory.
    """
    # Files, not pipes: a pipe ends only when each child that inherited it has ended.
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        starting = asyncio.create_task(
            asyncio.create_subprocess_exec(
                *arguments, cwd=directory, env=environ, stdin=given, stdout=out, stderr=err, start_new_session=True
            )
        )
        try:
            # The start is never cancelled: asyncio would kill the program, but not its children.
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await _finish_despite_cancel(_kill_once_started(starting))
            raise
        try:
            code = await process.wait()
        finally:
            await _finish_despite_cancel(_kill(process))
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


async def _finish_despite_cancel(killing: Coroutine[None, None, None]) -> None:
    """Finish `killing` even if cancelled again, and raise that cancellation afterwards.

    A process that is not waited for would stay as a zombie.
    """
    task = asyncio.create_task(killing)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled


async def _kill_once_started(starting: asyncio.Task[Process]) -> None:
    with suppress(OSError):  # there was no such program
        await _kill(await starting)


async def _kill(process: Process) -> None:
    """Kill the process with its children and wait for its end, which comes at once.

    Waits even if cancelled, as every task is when the loop ends.
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):  # the process has just ended
            os.killpg(process.pid, signal.SIGKILL)  # also its children, which are in its session
    while process.returncode is None:
        with suppress(asyncio.CancelledError):
            await process.wait()
