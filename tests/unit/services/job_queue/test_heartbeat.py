from __future__ import annotations

import asyncio

import pytest

from services.job_queue.heartbeat import run_unless, wait_for_any


async def test_an_event_ends_the_wait() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_soon(second.set)

    async with asyncio.timeout(5):
        await wait_for_any(first, second, timeout_s=60)


async def test_time_ends_the_wait() -> None:
    async with asyncio.timeout(5):
        await wait_for_any(asyncio.Event(), timeout_s=0.01)


async def test_work_is_left_when_the_stop_comes() -> None:
    stop, left = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    async with asyncio.timeout(5):
        await run_unless(stop, endless())

    assert left.is_set()


async def test_run_unless_raises_the_error_of_the_work() -> None:
    async def broken() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        await run_unless(asyncio.Event(), broken())
