"""The limit on the size of answers: no more is read, whatever an outside system sends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest

from services.clients.github import GitHubClient
from services.clients.pagers.formats import Pager
from services.clients.pagers.pagerduty import PagerDutyApi
from services.clients.pagers.webhook import Webhooks
from services.clients.railway.transport import TokenKind, Transport
from services.domain.answers import PagerUser
from services.domain.errors import SourceError
from services.domain.notifications import Page
from services.domain.secrets import Secret

CHUNK = b"[" * 1024 * 1024
CHUNKS = 64
AT = datetime(2025, 12, 2, 3, 4, 5, tzinfo=UTC)

Read = Callable[[httpx.MockTransport], Awaitable[object]]


def railway(transport: httpx.MockTransport) -> Awaitable[object]:
    client = Transport(
        url="http://railway.test/graphql",
        token=Secret("t"),
        token_kind=TokenKind.PROJECT,
        timeout_s=30.0,
        transport=transport,
    )
    return client.call("{ me }", {})


def github(transport: httpx.MockTransport) -> Awaitable[object]:
    client = GitHubClient("acme/dragonfly", Secret("t"), api_url="https://github.test", transport=transport)
    return client.create_issue("title", "body")


def pagerduty(transport: httpx.MockTransport) -> Awaitable[object]:
    api = PagerDutyApi("https://api.pagerduty.test", Secret("t"), timeout_s=30.0, transport=transport)
    return api.read_email(PagerUser("PABC123", "Ann"))


@pytest.mark.parametrize("read", [railway, github, pagerduty])
async def test_an_answer_without_an_end_is_not_read_to_it(read: Read) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(CHUNKS):
            sent += 1
            yield CHUNK

    with pytest.raises(SourceError):
        await read(httpx.MockTransport(lambda _request: httpx.Response(200, content=body())))

    assert sent < CHUNKS / 2


async def flood(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def keep_open(writer: asyncio.StreamWriter) -> None:
    writer.write(b"x")
    await asyncio.sleep(60)


async def break_off(writer: asyncio.StreamWriter) -> None:
    writer.write(b"x")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("go_on", [flood, keep_open, break_off])
async def test_a_page_that_was_accepted_does_not_wait_for_the_end_of_the_answer(
    go_on: Callable[[asyncio.StreamWriter], Awaitable[None]],
) -> None:
    """A page whose answer is lost is sent again, and the phone rings again."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 999999999\r\n\r\n")
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await go_on(writer)
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        webhooks = Webhooks(timeout_s=2.0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await webhooks.page(Pager(Secret(url)), Page("key", "prod", "PAGE", "text", AT))
        await webhooks.aclose()
