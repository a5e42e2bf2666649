"""The API as a process: its start, its log, an outage of the database, and its stop."""

from __future__ import annotations

import asyncio
import signal
import socket

import httpx
import pytest

from services.sandbox.web_server import find_free_port
from services.web_protocol import HEADERS_WITHIN_S
from tests.conftest import DatabaseUrls
from tests.integration.services.conftest import PATIENCE_S, DatabaseGate, Eventually, RunningProcess, Spawn
from tests.serving import HAS_IPV6

NOWHERE = "postgresql://u:hidden@127.0.0.1:1/d"
ROUTE = "/api/v1/intake/batches/{batch_id}"


class Api:
    """The running process and its address."""

    def __init__(self, process: RunningProcess, port: int) -> None:
        self.process = process
        self.base = f"http://127.0.0.1:{port}"

    async def health(self) -> httpx.Response | None:
        """Return the answer of /api/health, None while nothing listens."""
        async with httpx.AsyncClient(base_url=self.base, trust_env=False, timeout=PATIENCE_S) as client:
            try:
                return await client.get("/api/health")
            except httpx.TransportError:
                return None

    async def status(self) -> int | None:
        response = await self.health()
        return response.status_code if response is not None else None


async def start_api(spawn: Spawn, eventually: Eventually, dsn: str, **more: str) -> Api:
    port = find_free_port()
    process = await spawn("services.api", SUPABASE_DB_URL=dsn, PORT=str(port), LISTEN_ADDRESS="127.0.0.1", **more)
    api = Api(process, port)
    await eventually(api.status)
    return api


@pytest.mark.skipif(not HAS_IPV6, reason="no IPv6 here")
async def test_serves_ipv6_and_ipv4_unless_it_is_reported_one_address(spawn: Spawn, eventually: Eventually) -> None:
    port = find_free_port()
    await spawn("services.api", SUPABASE_DB_URL=NOWHERE, PORT=str(port), LISTEN_ADDRESS="")

    async def alive_on(address: str) -> bool:
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
            try:
                return (await client.get(f"http://{address}:{port}/api/live")).is_success
            except httpx.TransportError:
                return False

    await eventually(lambda: alive_on("127.0.0.1"))
    assert await alive_on("[::1]")


async def test_reports_that_its_port_is_taken(spawn: Spawn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = await spawn("services.api", SUPABASE_DB_URL=NOWHERE, PORT=str(port), LISTEN_ADDRESS="127.0.0.1")

        await process.line_with(f"CRITICAL: cannot listen on port {port}: Address already in use")
        assert await process.exit_code() == 3


async def test_starts_serves_and_stops(spawn: Spawn, eventually: Eventually, database_urls: DatabaseUrls) -> None:
    api = await start_api(spawn, eventually, database_urls.app)
    await api.process.line_with("PostgreSQL connection established")
    async with httpx.AsyncClient(base_url=api.base, trust_env=False) as client:
        await client.get("/api/v1/intake/batches/7?canary=1")
    api.process.signal(signal.SIGTERM)

    assert await api.process.exit_code() == 0
    assert api.process.lines[0].startswith("Dragonfly API starting: environment dev, git SHA a1b2c3d4, port ")
    assert "Pool size: 5, max overflow: 0" in api.process.lines
    assert any(line.startswith(f"GET {ROUTE} 503 ") and line.endswith(" ms") for line in api.process.lines)
    assert "canary" not in "\n".join(api.process.lines)


async def test_starts_and_stops_without_the_database(spawn: Spawn, eventually: Eventually) -> None:
    api = await start_api(spawn, eventually, NOWHERE)

    assert await api.status() == 503
    await api.process.line_with("PostgreSQL connection failed: Connection refused")
    api.process.signal(signal.SIGTERM)
    assert await api.process.exit_code() == 0
    assert "hidden" not in "\n".join(api.process.lines)


async def test_health_follows_the_database(spawn: Spawn, eventually: Eventually, database_gate: DatabaseGate) -> None:
    api = await start_api(spawn, eventually, database_gate.dsn)

    async def is_up() -> bool:
        return await api.status() == 200

    async def is_down() -> bool:
        return await api.status() == 503

    await eventually(is_up)
    await database_gate.close()
    await eventually(is_down)
    await database_gate.open()
    await eventually(is_up)


async def test_health_answers_in_time_while_the_database_hangs(
    spawn: Spawn, eventually: Eventually, database_gate: DatabaseGate
) -> None:
    api = await start_api(spawn, eventually, database_gate.dsn)
    await api.process.line_with("PostgreSQL connection established")
    assert await api.status() == 200

    database_gate.freeze()
    async with asyncio.timeout(PATIENCE_S):  # the database never answers
        statuses = await asyncio.gather(*(api.status() for _ in range(5)))
    assert set(statuses) == {503}

    database_gate.thaw()

    async def is_up() -> bool:
        return await api.status() == 200

    await eventually(is_up)


async def test_reports_everything_that_is_wrong_with_its_environment(spawn: Spawn) -> None:
    api = await spawn("services.api", ENVIRONMENT="", SUPABASE_DB_URL="mysql://u:hidden@h/d", PORT="many")

    assert await api.exit_code() == 2
    assert api.lines[1:-1] == [
        "  ENVIRONMENT: is not set",
        "  SUPABASE_DB_URL: must look like postgresql://user:password@host:port/database",
        "  PORT: must be a valid integer, unable to parse string as an integer",
    ]
    assert "hidden" not in "\n".join(api.lines)


async def test_a_connection_without_a_whole_request_is_closed(spawn: Spawn, eventually: Eventually) -> None:
    """A stranger must not hold the sockets that uploads need."""
    api = await start_api(spawn, eventually, NOWHERE)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api.base.rpartition(":")[2]))
    writer.write(b"GET /api/live HTTP/1.1\r\nHost: x\r\nX-Slow: ")

    async with asyncio.timeout(HEADERS_WITHIN_S + PATIENCE_S):
        assert await reader.read() == b""

    writer.close()


async def test_no_one_gets_another_allowance_by_x_forwarded_for(spawn: Spawn, eventually: Eventually) -> None:
    """uvicorn would take it for the caller's address if the connection comes from this machine."""
    api = await start_api(spawn, eventually, NOWHERE, REQUESTS_PER_MINUTE_PER_ADDRESS="20")
    async with httpx.AsyncClient(base_url=api.base, trust_env=False, timeout=PATIENCE_S) as client:
        statuses = [
            (await client.get("/openapi.json", headers={"X-Forwarded-For": f"198.51.100.{n}"})).status_code
            for n in range(30)
        ]

    assert statuses.count(429) >= 5
