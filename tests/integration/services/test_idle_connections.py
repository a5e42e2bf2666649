"""A server may close an idle connection at the very moment in which the next request is written to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.railway.transport import TokenKind, Transport
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK

NOW = "2025-12-20T10:30:00Z"
HEALTH = {"status": "ok", "environment": "prod", "git_sha": "a1", "db_connected": True, "timestamp": NOW}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the first request of a connection, and break it when a second comes."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.lower().splitlines() if b"content-length" in line), 0)
    await reader.readexactly(length)
    body = json.dumps({"data": {"me": 1}, **HEALTH}).encode()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\ncontent-type: application/json\r\n\r\n" % len(body) + body)
    await reader.read(1)
    writer.transport.abort()


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async with await asyncio.start_server(_serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_question_to_railway_is_asked_again(address: str) -> None:
    railway = Transport(url=address, token=Secret("t"), token_kind=TokenKind.PROJECT, timeout_s=30.0, transport=None)

    answers = [await railway.call("query me { me }", {}) for _ in range(3)]

    await railway.aclose()
    assert answers == [{"me": 1}] * 3


async def test_the_api_is_never_asked_over_an_idle_connection(address: str) -> None:
    async with DragonflyApi(address, None, timeout_s=30.0, system=RUNBOOK.name) as api:
        answers = [await api.read_health() for _ in range(3)]

    assert all(answer.is_ok for answer in answers)
