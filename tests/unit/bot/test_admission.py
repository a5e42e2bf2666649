"""Limits of the commands that run at the same time, in all and per person."""

from __future__ import annotations

import asyncio

import pytest

from bot.admission import Admission
from services.domain.errors import OperatorError


class Work:
    """Commands that run until `may_end` is set."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.running: list[str] = []
        self.may_end = asyncio.Event()

    async def run(self, person: str) -> None:
        async with self._admission.admit(person):
            self.running.append(person)
            await self.may_end.wait()

    async def begin(self, *people: str) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self.run(person)) for person in people]
        for _ in range(5):
            await asyncio.sleep(0)
        return tasks


async def test_one_person_has_at_most_two_and_others_pass_by() -> None:
    work = Work(Admission(at_once=4, per_person=2))

    tasks = await work.begin("otto", "otto", "otto", "ann")

    assert work.running == ["otto", "otto", "ann"]
    work.may_end.set()
    await asyncio.gather(*tasks)
    assert len(work.running) == 4


async def test_all_people_together_have_at_most_four() -> None:
    work = Work(Admission(at_once=4, per_person=2))

    tasks = await work.begin("a", "b", "c", "d", "e")

    assert work.running == ["a", "b", "c", "d"]
    work.may_end.set()
    await asyncio.gather(*tasks)


async def test_refuses_the_first_that_would_wait_behind_too_many() -> None:
    work = Work(Admission(at_once=4, per_person=2, waiting=1))
    tasks = await work.begin("otto", "otto", "otto")

    with pytest.raises(OperatorError, match="You already have 3 commands running"):
        await work.run("otto")

    work.may_end.set()
    await asyncio.gather(*tasks)
    await work.run("otto")
