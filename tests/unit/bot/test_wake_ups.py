"""Wake-ups: a loop hears each one, also during a tick, and polls less where Postgres delivers notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot.wake_ups import WakeUp, WakeUps, drive
from tests.outside import until


async def test_one_wake_up_makes_every_loop_that_waits_for_it_tick() -> None:
    first, second, wake_up = Loop(), Loop(), WakeUp()
    tasks = [asyncio.create_task(drive(one.tick, wake_up)) for one in (first, second)]
    await until(lambda: first.ticks == second.ticks == 1)

    wake_up.set()

    await until(lambda: first.ticks == second.ticks == 2)
    await end(*tasks)


async def test_any_of_a_loop_s_wake_ups_makes_it_tick() -> None:
    loop, one, other = Loop(), WakeUp(), WakeUp()
    task = asyncio.create_task(drive(loop.tick, one, other))
    await until(lambda: loop.ticks == 1)

    one.set()
    await until(lambda: loop.ticks == 2)
    other.set()
    await until(lambda: loop.ticks == 3)

    await end(task)


async def test_a_wake_up_during_a_tick_makes_it_tick_again() -> None:
    loop, wake_up = Loop(), WakeUp()
    loop.during = wake_up.set
    task = asyncio.create_task(drive(loop.tick, wake_up))

    await until(lambda: loop.ticks == 2)

    await end(task)


async def test_a_loop_ticks_after_the_seconds_that_its_tick_returned() -> None:
    loop = Loop(wait_s=0.01)
    task = asyncio.create_task(drive(loop.tick))

    await until(lambda: loop.ticks >= 3)

    await end(task)


async def test_a_loop_that_ended_is_not_called_any_more() -> None:
    loop, wake_up = Loop(), WakeUp()
    task = asyncio.create_task(drive(loop.tick, wake_up))
    await until(lambda: loop.ticks == 1)
    await end(task)

    wake_up.set()
    await asyncio.sleep(0)

    assert loop.ticks == 1
    assert wake_up._listeners == []


def test_polls_are_rarer_where_postgres_delivers_notices() -> None:
    assert WakeUps(has_notices=lambda: True).poll_s == 30.0
    assert WakeUps(has_notices=lambda: False).poll_s == 5.0
    assert WakeUps(has_notices=lambda: True, poll_s=0.5).poll_s == 0.5


class Loop:
    """Counts its ticks. `during` happens once, in the first one."""

    def __init__(self, wait_s: float | None = None) -> None:
        self.ticks = 0
        self.during: Callable[[], None] = lambda: None
        self._wait_s = wait_s

    async def tick(self) -> float | None:
        self.ticks += 1
        if self.ticks == 1:
            self.during()
        return self._wait_s


async def end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
