"""Runs another program to its end, and kills all of it at our time limit."""

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
    """Its exit code, output and error output. Cancelled: the program and what it started are killed.

    Raises OSError where there is no such program or directory.
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
            # asyncio kills a program whose start is cancelled, but not its children: so a start is never cancelled.
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await _see_to_its_end(_kill_once_started(starting))
            raise
        try:
            code = await process.wait()
        finally:
            await _see_to_its_end(_kill(process))
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


async def _see_to_its_end(killing: Coroutine[None, None, None]) -> None:
    """Cancelled again, it continues and is cancelled afterwards: what is not waited for would stay as a zombie."""
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
    """Cancelled, as every task is when the loop ends, it waits all the same: what is killed ends at once."""
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it has just ended
            os.killpg(process.pid, signal.SIGKILL)  # its children too: they are of its session
    while process.returncode is None:
        with suppress(asyncio.CancelledError):
            await process.wait()
