"""Another program ends, or leaves no process."""

from __future__ import annotations

import asyncio
import gc
import os
import time
import warnings
from pathlib import Path

import pytest

from services.clients.programs import run_program

SLOW = "exec 9> {open}; echo on > {started}; sleep 600 & wait"  # the child holds what the program opened


def wait_for(started: Path) -> None:
    """Block the event loop until the program has started: nothing else happens meanwhile."""
    while not (started.exists() and started.read_text()):
        time.sleep(0.01)


def is_held(reader: int) -> bool:
    """True if a process has the other end of this pipe open."""
    try:
        return os.read(reader, 1) != b""
    except BlockingIOError:
        return True


async def test_ends_with_its_code_and_what_it_wrote() -> None:
    assert await run_program("sh", "-c", "cat; echo no >&2; exit 3", stdin=b"yes") == (3, b"yes", b"no\n")


async def test_missing_program_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        await run_program("no-such-program")


@pytest.mark.parametrize("is_starting", [True, False], ids=["while it starts", "while it runs"])
async def test_cancelled_call_leaves_neither_the_program_nor_its_children(tmp_path: Path, is_starting: bool) -> None:
    started, held = tmp_path / "started", tmp_path / "held"
    os.mkfifo(held)
    reader = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
    call = asyncio.create_task(run_program("sh", "-c", SLOW.format(open=held, started=started)))
    await asyncio.sleep(0)
    await asyncio.sleep(0 if is_starting else 0.2)
    wait_for(started)
    assert is_held(reader)

    call.cancel()
    await asyncio.wait({call}, timeout=20)

    assert call.cancelled()
    async with asyncio.timeout(20):
        while is_held(reader):  # the kernel ends a killed process a moment later
            await asyncio.sleep(0.01)
    os.close(reader)


@pytest.mark.parametrize("is_starting", [True, False], ids=["while it starts", "while it runs"])
async def test_call_that_is_cancelled_again_waits_all_the_same_for_what_it_killed(is_starting: bool) -> None:
    """A transport that is left open is reported when it is collected, in a later test."""
    reported: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: reported.append(str(message))
        call = asyncio.create_task(run_program("sleep", "600"))
        await asyncio.sleep(0)
        await asyncio.sleep(0 if is_starting else 0.2)
        while not call.done():
            call.cancel()
            await asyncio.sleep(0)
        gc.collect()

    assert call.cancelled()
    assert reported == []


def test_loop_that_ends_while_a_program_is_killed_leaves_no_transport_open() -> None:
    """Its end cancels every task, also the one that waits for the killed program."""
    reported: list[str] = []

    async def begin(turns: int) -> None:
        call = asyncio.create_task(run_program("sleep", "600"))
        await asyncio.sleep(0.05)
        call.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: reported.append(str(message))
        for turns in range(8):
            asyncio.run(begin(turns))
        gc.collect()

    assert reported == []


async def test_a_child_that_goes_on_does_not_hold_the_call() -> None:
    async with asyncio.timeout(10):
        assert await run_program("sh", "-c", "setsid sleep 20 & echo done") == (0, b"done\n", b"")


async def test_call_that_ends_as_its_time_runs_out_is_cancelled_and_no_other_error() -> None:
    """The program may be gone before asyncio knows its exit code."""
    for turn in range(60):
        call = asyncio.create_task(run_program("true"))
        await asyncio.sleep(0.0002 * turn)
        call.cancel()
        done, _ = await asyncio.wait({call}, timeout=20)
        assert done
        assert call.cancelled() or call.exception() is None
