"""The bot's own endpoints, and Slack over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from bot.app import Bot
from bot.web.app import WebServer, read_body
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.delivery import HttpDelivery
from services.web_protocol import TimeLimitedProtocol
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack, StartBot
from tests.outside import PATIENCE_S, until
from tests.serving import HAS_IPV6

KEY = "made-up-secret"
ANSWERED = 'dragonfly_bot_answer_seconds_count{outcome="answered",surface="slash"}'


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
async def http_bot(start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls) -> Bot:
    """A bot in HTTP mode, to which the local Slack delivers."""
    bot = await start_bot(database_urls.bot, SLACK_APP_TOKEN="", SLACK_SIGNING_SECRET=f"older, {KEY}")
    slack.workspace.delivery = HttpDelivery(events(bot), KEY, ack_within_s=PATIENCE_S)
    return bot


def events(bot: Bot) -> str:
    return f"http://127.0.0.1:{bot.web.port}/slack/events"


def signed(body: bytes, *, timestamp: str | None = None) -> dict[str, str]:
    timestamp = timestamp or str(int(time.time()))
    digest = hmac.new(KEY.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={digest}",
    }


async def test_command_over_http_is_answered(http_bot: Bot, slack: Slack) -> None:
    await slack.type("/dragonfly queue")

    await slack.wait_for()
    assert (await http_bot.health()).connected


async def test_mention_over_http_is_answered(http_bot: Bot, slack: Slack) -> None:
    posted = acting_as(slack.workspace, model.OLIVIA.id).say(model.INCIDENTS_ID, "@dragonfly queue")

    answer = await slack.wait_for()

    assert answer.thread_ts == posted.ts
    assert not http_bot.settings.faults


async def test_challenge_of_a_new_address_is_answered(http_bot: Bot) -> None:
    delivery = HttpDelivery(events(http_bot), KEY)

    assert await delivery.verify_url()

    await delivery.close()


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"{}", 401),
        ({"X-Slack-Signature": "v0=0"}, b"{}", 401),
        ({"X-Slack-Request-Timestamp": "soon"}, b"{}", 401),
    ],
)
async def test_forged_request_is_refused(
    http_bot: Bot, http: httpx.AsyncClient, headers: dict[str, str], body: bytes, status: int
) -> None:
    given = signed(body) | headers if headers else {}

    answer = await http.post(events(http_bot), content=body, headers=given)

    assert answer.status_code == status


@pytest.mark.parametrize(("age_s", "status"), [(240, 200), (360, 401)])
async def test_old_request_is_refused(http_bot: Bot, http: httpx.AsyncClient, age_s: int, status: int) -> None:
    body = b'{"type":"url_verification","challenge":"c","token":"t"}'
    headers = signed(body, timestamp=str(int(time.time()) - age_s))

    answer = await http.post(events(http_bot), content=body, headers=headers)

    assert answer.status_code == status


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
async def test_malformed_body_is_a_bad_request(http_bot: Bot, http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.post(events(http_bot), content=body, headers=signed(body))

    assert answer.status_code == 400


async def test_huge_body_is_refused(http_bot: Bot, http: httpx.AsyncClient) -> None:
    body = b" " * 1_000_001

    answer = await http.post(events(http_bot), content=body, headers=signed(body))

    assert answer.status_code == 413


async def test_socket_mode_has_no_events_endpoint(bot: Bot, http: httpx.AsyncClient) -> None:
    assert (await http.post(events(bot), content=b"{}")).status_code == 404


async def test_health_reports_what_the_bot_can_do(bot: Bot, http: httpx.AsyncClient) -> None:
    wiring = bot.wiring
    assert wiring is not None
    await until(lambda: wiring.leader.database_problem is None)

    answer = await http.get(f"http://127.0.0.1:{bot.web.port}/healthz")

    assert answer.status_code == 200
    assert answer.json()["able_to_act"] is True
    assert answer.json()["slack"] == {"connections": 2, "expected": 2}


async def test_alive_is_not_able(start_bot: StartBot, http: httpx.AsyncClient) -> None:
    bot = await start_bot(None)
    base = f"http://127.0.0.1:{bot.web.port}"

    health = await http.get(f"{base}/healthz")

    assert (await http.get(f"{base}/livez")).status_code == 200
    assert health.status_code == 503
    assert health.json()["connected"] is True
    assert health.json()["disabled_settings"] > 0


async def test_a_stranger_learns_no_name_of_a_setting(start_bot: StartBot, http: httpx.AsyncClient) -> None:
    bot = await start_bot(None, RAILWAY_TOKEN="", DRAGONFLY_OPERATORS="no id", PAGER_WEBHOOK_URL="no address")
    names = {fault.variable for group in bot.settings.invalid for fault in group.faults}
    assert {"SUPABASE_DB_URL", "RAILWAY_TOKEN", "DRAGONFLY_OPERATORS"} <= names

    for path in ("livez", "healthz", "metrics"):
        answer = await http.get(f"http://127.0.0.1:{bot.web.port}/{path}")
        assert not [name for name in names if name in answer.text]


@pytest.mark.parametrize(
    "address", ["127.0.0.1", pytest.param("[::1]", marks=pytest.mark.skipif(not HAS_IPV6, reason="no IPv6 here"))]
)
async def test_bot_listens_on_both_families(http: httpx.AsyncClient, address: str) -> None:
    server = WebServer(FastAPI(), port=0)
    await server.open()
    try:
        assert (await http.get(f"http://{address}:{server.port}/")).status_code == 404
    finally:
        await server.close()


class Impatient(TimeLimitedProtocol):
    headers_within_s = 0.2
    answered_body_within_s = 0.2


@pytest.fixture
async def impatient() -> AsyncIterator[WebServer]:
    """A server that waits 0.2 s for headers, and as long for the body of a request that it has answered."""
    app = FastAPI()

    @app.get("/")
    async def root() -> str:
        return "here"

    @app.post("/file")
    async def count(request: Request) -> int:
        return len(await request.body())

    @app.get("/events")
    async def stream() -> StreamingResponse:
        return StreamingResponse(numbers())

    async def numbers() -> AsyncIterator[str]:
        for n in range(4):
            await asyncio.sleep(2 * Impatient.headers_within_s)
            yield f"event {n}"

    server = WebServer(app, port=0, host="127.0.0.1", protocol=Impatient)
    await server.open()
    yield server
    await server.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_request_whose_headers_do_not_end_is_cut_off(impatient: WebServer, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
    writer.write(sent)

    async with asyncio.timeout(PATIENCE_S):
        assert await reader.read() == b""  # the connection was closed

    writer.close()


async def test_the_second_request_of_a_connection_has_a_limit_of_its_own(impatient: WebServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
    async with asyncio.timeout(PATIENCE_S):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")

        rest = await reader.read()

    assert b"200" not in rest
    writer.close()


async def test_a_body_that_still_comes_after_the_answer_is_cut_off(impatient: WebServer) -> None:
    """A path that reads no body: a byte now and then must not hold the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
    async with asyncio.timeout(PATIENCE_S):
        writer.write(b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nab")
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 404")
        while not reader.at_eof():
            with suppress(ConnectionError, TimeoutError):
                writer.write(b"c")
                async with asyncio.timeout(0.05):
                    assert await reader.read(1) == b""

    writer.close()


async def test_a_body_that_ends_after_the_answer_leaves_the_connection_for_the_next_request(
    impatient: WebServer,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
    async with asyncio.timeout(PATIENCE_S):
        writer.write(b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        await reader.readuntil(b"}")
        writer.write(b"cdGET / HTTP/1.1\r\nHost: x\r\n\r\n")

        assert b"200" in await reader.readuntil(b"here")

    writer.close()


async def test_a_body_that_is_being_read_and_a_long_answer_have_no_limit(impatient: WebServer) -> None:
    """A phone may upload for minutes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
    async with asyncio.timeout(PATIENCE_S):
        writer.write(b"POST /file HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        for _ in range(4):
            await asyncio.sleep(2 * Impatient.headers_within_s)
            writer.write(b"x")
        assert (await reader.readuntil(b"\r\n\r\n4")).startswith(b"HTTP/1.1 200")

        writer.write(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"event 3")).startswith(b"HTTP/1.1 200")

    writer.close()


async def test_a_body_that_does_not_end_is_not_waited_for() -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"some"
        await asyncio.Event().wait()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": await anext(chunks), "more_body": True}

    chunks = never()
    request = Request({"type": "http", "method": "POST", "headers": []}, receive)

    assert await read_body(request, limit=100, within_s=0.05) == b""


async def test_metrics_count_answers(bot: Bot, slack: Slack, http: httpx.AsyncClient) -> None:
    await slack.type("/dragonfly queue")
    await slack.wait_for()

    # Slack gets the answer a moment before the bot counts it.
    async with asyncio.timeout(PATIENCE_S):
        while ANSWERED not in (text := (await http.get(f"http://127.0.0.1:{bot.web.port}/metrics")).text):
            await asyncio.sleep(0.02)
    assert "dragonfly_bot_slack_connections 2.0" in text
