"""Shared reads: identical ones are one request; changes and the bot's own reads never get an old answer."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest

from services.clients.railway.quota import Purpose, reading_for
from services.clients.railway.transport import TokenKind, Transport
from services.domain.errors import SourceError
from services.domain.secrets import Secret

READ, CHANGE = "query { me }", "mutation { stop }"


class Railway:
    """A Railway that answers with the request's number once `may_answer` is set. `status`: of each answer."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.status = 200

    async def answer(self, request: httpx.Request) -> httpx.Response:
        assert json.loads(request.content)["query"] in (READ, CHANGE)
        self.asked += 1
        number = self.asked
        await self.may_answer.wait()
        return httpx.Response(self.status, json={"data": {"number": number}}, headers={"retry-after": "60"})


@pytest.fixture
def railway() -> Railway:
    return Railway()


def transport(railway: Railway, *, serves_s: float = 60.0) -> Transport:
    return Transport(
        url="http://railway.test/graphql",
        token=Secret("t"),
        token_kind=TokenKind.PROJECT,
        timeout_s=30.0,
        transport=httpx.MockTransport(railway.answer),
        serves_s=serves_s,
    )


async def ask(transport: Transport, person: str = "U1", **variables: str) -> object:
    with reading_for(Purpose.ANSWER, person):
        return (await transport.call(READ, variables))["number"]


async def test_identical_reads_at_the_same_time_share_one_request(railway: Railway) -> None:
    call = transport(railway, serves_s=0.0)

    numbers = await asyncio.gather(ask(call, "U1"), ask(call, "U2"), ask(call, "U1", service="api"))

    assert list(numbers) == [1, 1, 2]


async def test_an_answer_serves_for_its_time(railway: Railway) -> None:
    call = transport(railway, serves_s=60.0)
    assert [await ask(call), await ask(call, "U2")] == [1, 1]

    brief = transport(railway, serves_s=0.0)
    first = await ask(brief)
    await asyncio.sleep(0.01)

    assert [first, await ask(brief)] == [2, 3]


@pytest.mark.parametrize("purpose", [Purpose.PLAN, Purpose.WATCH, Purpose.CHANGE, Purpose.EMERGENCY])
async def test_a_read_for_a_change_is_sent_again_and_its_response_serves_commands(
    railway: Railway, purpose: Purpose
) -> None:
    call = transport(railway)
    assert await ask(call) == 1

    with reading_for(purpose):
        assert (await call.call(READ, {}))["number"] == 2

    assert await ask(call) == 2


async def test_no_answer_from_before_a_change_serves_after_it(railway: Railway) -> None:
    call = transport(railway)
    assert await ask(call) == 1

    await call.change(CHANGE, {}, deadline=time.monotonic() + 60)

    assert await ask(call) == 3


async def test_a_canceled_reader_cancels_no_shared_read(railway: Railway) -> None:
    railway.may_answer.clear()
    call = transport(railway)
    first, second = asyncio.create_task(ask(call, "U1")), asyncio.create_task(ask(call, "U2"))
    while not railway.asked:
        await asyncio.sleep(0)

    first.cancel()
    railway.may_answer.set()

    assert await second == 1


async def test_an_error_is_shared_and_not_kept(railway: Railway) -> None:
    call = transport(railway)
    railway.status = 502
    failed = await asyncio.gather(ask(call, "U1"), ask(call, "U2"), return_exceptions=True)
    assert [type(one) for one in failed] == [SourceError, SourceError]
    assert railway.asked == 1

    railway.status = 200

    assert await ask(call) == 2


async def test_only_an_emergency_is_tried_while_railway_refuses(railway: Railway) -> None:
    call = transport(railway)
    railway.status = 429
    with pytest.raises(SourceError, match="rate limit is used up"):
        await ask(call)
    with pytest.raises(SourceError, match="rate limit is used up"), reading_for(Purpose.CHANGE):
        await call.change(CHANGE, {}, deadline=time.monotonic() + 60)
    assert railway.asked == 1

    railway.status = 200
    with reading_for(Purpose.EMERGENCY):
        await call.change(CHANGE, {}, deadline=time.monotonic() + 60)

    assert railway.asked == 2
