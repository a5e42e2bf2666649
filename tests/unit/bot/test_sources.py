"""A source that fails is unavailable with a reason, and affects no other source."""

from __future__ import annotations

import asyncio
import gc

import pytest

from bot.sources import Sources
from services.domain.errors import OperatorError, SourceError, Unavailable


async def answer() -> int:
    return 42


async def fail(error: Exception) -> int:
    raise error


async def test_gives_the_value() -> None:
    assert await Sources(1).ask("API", answer()) == 42


async def test_a_source_that_reports_why_it_failed_is_quoted() -> None:
    found = await Sources(1).ask("API", fail(SourceError("database", "connection lost")))

    assert found == Unavailable("database", "connection lost")


async def test_our_own_refusal_gives_its_reason() -> None:
    error = OperatorError("Nothing was read", why="a file has no version", what_next="Rename it.")

    assert await Sources(1).ask("database", fail(error)) == Unavailable("database", "a file has no version")


async def test_a_bug_is_unknown_and_its_words_stay_out_of_answer_and_log(caplog: pytest.LogCaptureFixture) -> None:
    found = await Sources(1).ask("Railway", fail(KeyError("secret-value")))

    assert found == Unavailable("Railway", "its answer could not be understood (KeyError)")
    assert "asking Railway failed: KeyError at test_sources.py:" in caplog.text
    assert "secret-value" not in caplog.text


async def test_a_call_that_will_not_be_cancelled_is_left_behind_until_close() -> None:
    released, ended = asyncio.Event(), False

    async def stubborn() -> None:
        nonlocal ended
        try:
            await asyncio.sleep(60)
        finally:
            await released.wait()
            ended = True

    sources = Sources(0.01)

    assert await sources.ask("database", stubborn()) == Unavailable(
        "database", "no answer within 0.01 s", is_outage=True
    )
    assert not ended
    released.set()
    await sources.close()
    assert ended


async def test_a_late_failure_bothers_no_one(caplog: pytest.LogCaptureFixture) -> None:
    async def spoil() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise SourceError("database", "connection lost")

    sources = Sources(0.01)
    await sources.ask("database", spoil())
    await sources.close()

    assert caplog.text == ""


async def test_a_failure_in_the_moment_of_cancellation_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def spoil() -> None:
        asking.cancel()
        raise SourceError("Railway", "no answer")

    asking = asyncio.create_task(Sources(60).ask("Railway", spoil()))
    await asyncio.gather(asking, return_exceptions=True)
    gc.collect()

    assert caplog.text == ""


async def test_cancelled_request_cancels_its_call() -> None:
    sources, cancelled = Sources(60), asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    asking = asyncio.create_task(sources.ask("API", wait()))
    await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await sources.close()

    assert cancelled.is_set()
