"""The cost of calls to the model is reserved before and settled after, under one lock, in Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.assistant.model import Model, NoModelAnswerError, PaidCalls
from bot.assistant.prompts import ChosenReads
from services.clients.openai import OpenAIClient, Question
from services.clients.postgres.asks import begin_ask, lock_ask_budget, read_ask_spending, reserve_for_ask
from services.clients.postgres.pool import Database
from services.domain.model_prices import AskBudget, AskSpending, Prices
from services.domain.people import Person
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls
from tests.locks import WAITS_FOR_ADVISORY
from tests.openai_server import OpenAIServer, Posted, response

QUESTION = Question("Choose.", "{}", ChosenReads, 100)
PRICES = Prices(Decimal(1), Decimal(1))  # 0.000001 USD per token
MOST = QUESTION.most_tokens.tokens
ANN, BEN = Person("U0ANN", "T1"), Person("U0BEN", "T1")
WIDE = AskBudget(Decimal(1), Decimal(1), Decimal(1), 1_000_000, 1_000_000, 1_000_000)


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=20)
    yield database
    await database.close()


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(lambda _: Posted(response('{"reads": []}'))).serve() as running:
        yield running


@pytest.fixture
async def client(server: OpenAIServer) -> AsyncIterator[OpenAIClient]:
    client = OpenAIClient(api_key=Secret("k"), base_url=server.base_url, model="m", timeout_s=20, max_retries=0)
    yield client
    await client.aclose()


async def calls(database: Database, client: OpenAIClient, budget: AskBudget, person: Person = ANN) -> PaidCalls:
    async with database.transaction() as conn:
        ask_id = await begin_ask(conn, person=person)
    return PaidCalls(Model(client, PRICES, budget), database, ask_id=ask_id, user_id=person.user_id)


async def spent(database: Database, person: Person = ANN) -> AskSpending:
    async with database.read() as conn:
        return await read_ask_spending(conn, ask_id=0, user_id=person.user_id)


async def test_ask_budget_replaces_the_reservation_by_the_cost(database: Database, client: OpenAIClient) -> None:
    paid = await calls(database, client, WIDE)

    await paid.ask(QUESTION)

    assert paid.spent.usage.tokens == 500
    assert await spent(database) == AskSpending(Decimal(0), 0, Decimal("0.0005"), 500, Decimal("0.0005"), 500)
    assert (await spent(database, BEN)).person_tokens == 0


@pytest.mark.parametrize("limit", ["answer", "person", "day"])
@pytest.mark.parametrize(("room", "fits"), [(0, True), (-1, False)])
async def test_a_call_fits_up_to_its_limit(
    database: Database, server: OpenAIServer, client: OpenAIClient, limit: str, room: int, fits: bool
) -> None:
    dollars = PRICES.cost_of(QUESTION.most_tokens) + Decimal(room) / 1_000_000
    in_tokens: dict[str, Any] = {f"{limit}_tokens": MOST + room}
    in_dollars: dict[str, Any] = {f"{limit}_usd": dollars}

    for budget in (replace(WIDE, **in_tokens), replace(WIDE, **in_dollars)):
        async with database.transaction() as conn:
            await conn.execute("DELETE FROM chatops.asks")
        paid = await calls(database, client, budget)
        if fits:
            await paid.ask(QUESTION)
        else:
            with pytest.raises(NoModelAnswerError, match="budget"):
                await paid.ask(QUESTION)
            assert (await spent(database)).day_tokens == 0

    assert len(server.requests) == (2 if fits else 0)


async def test_ask_budget_counts_a_question_in_progress(
    database: Database, server: OpenAIServer, client: OpenAIClient
) -> None:
    budget = replace(WIDE, day_tokens=MOST + 1)
    first, second = [await calls(database, client, budget, person) for person in (ANN, BEN)]
    async with database.transaction() as conn:
        await lock_ask_budget(conn)
        await reserve_for_ask(conn, ask_id=first.ask_id, usd=Decimal(0), tokens=2, model="m")
        task = asyncio.create_task(second.ask(QUESTION))
        async with asyncio.timeout(30):
            while not server.requests and not await is_awaited(database):
                await asyncio.sleep(0.01)

        assert not server.requests

    with pytest.raises(NoModelAnswerError, match="today's token budget"):
        await task


async def is_awaited(database: Database) -> bool:
    async with database.read() as conn:
        return await (await conn.execute(WAITS_FOR_ADVISORY)).fetchone() is not None


@pytest.mark.parametrize(("status", "counted"), [(401, 0), (429, 0), (504, MOST)])
async def test_ask_budget_keeps_the_reservation_when_a_call_may_have_been_billed(
    database: Database, server: OpenAIServer, client: OpenAIClient, status: int, counted: int
) -> None:
    server.speak = lambda _: Posted({}, status=status)
    paid = await calls(database, client, WIDE)

    with pytest.raises(NoModelAnswerError):
        await paid.ask(QUESTION)

    assert (await spent(database)).day_tokens == counted


async def test_an_answer_that_is_given_up_stays_spent(
    database: Database, server: OpenAIServer, client: OpenAIClient
) -> None:
    server.speak = lambda _: Posted(response("{}"), after_s=60)
    paid = await calls(database, client, WIDE)
    task = asyncio.create_task(paid.ask(QUESTION))
    async with asyncio.timeout(30):
        while not server.requests:
            await asyncio.sleep(0.01)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert (await spent(database)).day_tokens == MOST
