"""A poll begins anew after it was closed: leadership goes and comes back."""

from __future__ import annotations

import asyncio

from bot.alerts.readings import Poll


async def test_a_poll_that_was_closed_while_it_asked_can_be_used_again() -> None:
    answers = iter(["first", "second"])
    may_answer = asyncio.Event()

    async def ask() -> str:
        await may_answer.wait()
        return next(answers)

    poll = Poll(ask, every_s=60)
    poll.start_if_due()
    await asyncio.sleep(0)
    await poll.close()
    may_answer.set()

    again = poll.start_if_due()

    assert again is not None
    await again
    assert poll.take() == "first"


async def test_an_old_answer_is_forgotten() -> None:
    async def ask() -> str:
        return "old"

    poll = Poll(ask, every_s=60)
    started = poll.start_if_due()
    assert started is not None
    await started
    assert poll.take() == "old"

    await poll.close()

    assert poll.take() is None
    assert poll.start_if_due() is not None
    await poll.close()
