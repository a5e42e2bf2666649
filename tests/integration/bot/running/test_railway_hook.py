"""Railway's webhook wakes the readers of Railway in every replica; its content is never trusted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx
import psycopg
import pytest

from bot.app import Bot
from bot.config.timing import EvaluatorSettings
from bot.railway.webhook import MAX_BODY, WRONG_A_MINUTE, RefreshNotices
from bot.wake_ups import WakeUps
from services.clients.postgres.listen import CHANNEL
from services.clients.postgres.pool import Database
from services.domain.secrets import Secret
from services.domain.services import Service
from tests.conftest import DatabaseUrls
from tests.integration.bot.conftest import Outside
from tests.integration.bot.running.conftest import Slack, StartBot
from tests.outside import PATIENCE_S, until

SECRET = "made-up-made-up-made-up-1"
Listen = Callable[..., Awaitable[list[None]]]
EVENT = {"type": "Deployment.failed", "resource": {"environment": {"id": "e"}}}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


def address(bot: Bot, secret: str = SECRET) -> str:
    return f"http://127.0.0.1:{bot.web.port}/hooks/railway/{secret}"


@pytest.fixture
def listen() -> Iterator[Listen]:
    """`await listen(bot)`: a list that gets one entry each time the bot's readers of Railway are woken."""
    with contextlib.ExitStack() as stack:

        async def listen(bot: Bot, *, with_database: bool = True) -> list[None]:
            woken: list[None] = []
            wiring = bot.wiring
            assert wiring is not None
            if with_database:  # a new database session wakes them too, once
                await until(lambda: wiring._listener.works)
            stack.enter_context(wiring.wake_ups.refresh.listen(lambda: woken.append(None)))
            return woken

        yield listen


async def test_a_call_wakes_the_readers_of_every_replica(
    listen: Listen, start_bot: StartBot, database_urls: DatabaseUrls, http: httpx.AsyncClient
) -> None:
    first = await start_bot(database_urls.bot, RAILWAY_WEBHOOK_SECRET=SECRET)
    second = await start_bot(database_urls.bot, RAILWAY_WEBHOOK_SECRET=SECRET)
    woken_here, woken_there = await listen(first), await listen(second)

    answer = await http.post(address(first), json=EVENT)

    assert answer.status_code == 202
    await until(lambda: bool(woken_here) and bool(woken_there))


async def test_a_deployment_is_announced_at_the_call_however_seldom_railway_is_asked(
    listen: Listen,
    start_bot: StartBot,
    database_urls: DatabaseUrls,
    slack: Slack,
    outside: Outside,
    http: httpx.AsyncClient,
) -> None:
    never = EvaluatorSettings(railway_every_s=86_400)
    bot = await start_bot(database_urls.bot, evaluator=never, RAILWAY_WEBHOOK_SECRET=SECRET)
    await listen(bot)
    await until_deployments_are_known(database_urls)
    outside.latest[Service.API] = {"id": "d-next", "status": "FAILED"}

    await http.post(address(bot), json=EVENT)

    await slack.wait_for(lambda message: "NOT deployed: a1b2c3d4 failed on api" in message.text)
    await slack.wait_for(lambda message: "api deployment a1b2c3d4 FAILED" in message.text)


async def until_deployments_are_known(database_urls: DatabaseUrls) -> None:
    """Wait until the active deployments are stored: those of the first look are not announced."""
    async with await psycopg.AsyncConnection.connect(database_urls.superuser, autocommit=True) as conn:
        while await (await conn.execute("SELECT 1 FROM chatops.rollout_deployments")).fetchone() is None:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("has_notices", [True, False])
async def test_a_process_wakes_itself_on_a_webhook_where_no_notices_arrive(
    database_urls: DatabaseUrls, *, has_notices: bool
) -> None:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=PATIENCE_S)
    wake_ups = WakeUps(has_notices=lambda: has_notices)
    woken: list[None] = []
    running = asyncio.create_task(RefreshNotices(database, wake_ups, every_s=0).run())
    async with await psycopg.AsyncConnection.connect(database_urls.bot, autocommit=True) as conn:
        await conn.execute(f"LISTEN {CHANNEL}")

        with wake_ups.refresh.listen(lambda: woken.append(None)):
            wake_ups.webhook.set()

            assert [notice.channel async for notice in conn.notifies(timeout=PATIENCE_S, stop_after=1)] == [CHANNEL]
            if not has_notices:
                await until(lambda: bool(woken))
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    assert len(woken) == (0 if has_notices else 1)
    await database.close()


async def test_many_calls_are_few_readings_and_the_last_one_counts(
    listen: Listen, start_bot: StartBot, database_urls: DatabaseUrls, http: httpx.AsyncClient
) -> None:
    bot = await start_bot(database_urls.bot, RAILWAY_WEBHOOK_SECRET=SECRET)
    woken = await listen(bot)

    for _ in range(50):
        await http.post(address(bot), json=EVENT)
    await until(lambda: len(woken) >= 2)

    assert len(woken) < 25


async def test_a_call_reaches_this_process_without_a_database(
    listen: Listen, start_bot: StartBot, http: httpx.AsyncClient
) -> None:
    bot = await start_bot("postgresql://nobody@127.0.0.1:9/none", RAILWAY_WEBHOOK_SECRET=SECRET)
    woken = await listen(bot, with_database=False)

    await http.post(address(bot), json=EVENT)

    await until(lambda: bool(woken))


async def test_wrong_secret_is_reported_nothing_and_soon_not_even_that(
    listen: Listen, bot: Bot, http: httpx.AsyncClient
) -> None:
    woken = await listen(bot)

    statuses = {(await http.post(address(bot, "x" * 24), json=EVENT)).status_code for _ in range(WRONG_A_MINUTE + 40)}

    assert statuses == {404, 429}
    assert woken == []


async def test_too_much_is_refused(start_bot: StartBot, database_urls: DatabaseUrls, http: httpx.AsyncClient) -> None:
    bot = await start_bot(database_urls.bot, RAILWAY_WEBHOOK_SECRET=f"{SECRET}, another-another-another-2")

    long = await http.post(address(bot), content=b"x" * (MAX_BODY + 1))
    fitting = await http.post(address(bot, "another-another-another-2"), content=b"x" * MAX_BODY)

    assert (long.status_code, fitting.status_code) == (413, 202)
