"""Polls of a source: usable again after they were closed (leadership returns), and prompt after a refresh notice."""

from __future__ import annotations

import asyncio

import pytest

from bot.alerts.sources import Poll


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


async def test_the_answer_to_a_refresh_notice_is_reported_when_it_is_there() -> None:
    may_answer, answered = asyncio.Event(), asyncio.Event()

    async def ask() -> str:
        await may_answer.wait()
        return "new"

    poll = Poll(ask, every_s=60, answered=answered.set)
    poll.hasten()
    poll.start_if_due()
    await asyncio.sleep(0)
    assert not answered.is_set()

    may_answer.set()
    await answered.wait()

    assert poll.take() == "new"


async def test_an_answer_at_the_usual_pace_is_reported_only_when_it_brings_news() -> None:
    answers, reported = iter(["well, 3 ms", "well, 4 ms", "down", "down", "well, 3 ms"]), 0

    async def ask() -> str:
        return next(answers)

    def report() -> None:
        nonlocal reported
        reported += 1

    poll = Poll(ask, every_s=0, answered=report, news=lambda answer: answer.partition(",")[0])
    counts = []
    for _ in range(5):
        asking = poll.start_if_due()
        assert asking is not None
        await asking
        await asyncio.sleep(0)
        counts.append(reported)

    assert counts == [0, 0, 1, 1, 2], "the first is waited for, and has no need of a report"


async def test_a_refresh_notice_asks_without_anyone_looking() -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def ask() -> str:
        return "new"

    poll = Poll(ask, every_s=86_400, heard=heard.put_nowait)
    poll.hasten()

    assert await heard.get() == "new"


async def test_poll_reads_again_when_a_refresh_notice_arrives_during_a_read() -> None:
    answers = iter(["before the hint", "after it"])
    may_answer, answered = asyncio.Event(), asyncio.Event()
    heard: list[str] = []

    async def ask() -> str:
        await may_answer.wait()
        return next(answers)

    poll = Poll(ask, every_s=86_400, heard=heard.append, answered=answered.set)
    poll.start_if_due()
    poll.hasten()
    may_answer.set()
    await answered.wait()

    assert heard == ["before the hint", "after it"]
    assert poll.take() == "after it"


async def test_poll_raises_its_error_when_the_answer_is_taken() -> None:
    async def ask() -> str:
        raise ValueError("a bug")

    poll = Poll(ask, every_s=60)
    asking = poll.start_if_due()
    assert asking is not None
    await asyncio.wait([asking])

    with pytest.raises(ValueError, match="a bug"):
        poll.take()


async def test_poll_ignores_a_refresh_notice_after_close() -> None:
    asked: list[None] = []

    async def ask() -> str:
        asked.append(None)
        await asyncio.Event().wait()
        return "never"

    poll = Poll(ask, every_s=60)
    poll.start_if_due()
    await asyncio.sleep(0)
    poll.hasten()
    await poll.close()
    await asyncio.sleep(0)

    assert len(asked) == 1
