"""Why no session came about: each refusal of the server and of the poolers, as they write it on the wire."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.postgres.pool import connect

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16/"


@contextlib.asynccontextmanager
async def server_that_says(message: str | None, code: str = "XX000") -> AsyncIterator[int]:
    """Its port. It answers the startup with a FATAL of this message, or hangs up at the TLS handshake."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                length = await reader.readexactly(4)
                await reader.readexactly(int.from_bytes(length) - 4)
                if int.from_bytes(length) == 8 and message is not None:
                    writer.write(b"N")  # no TLS, no GSS
                    continue
                if message is None:
                    writer.write(b"S")
                else:
                    fields = f"SFATAL\0VFATAL\0C{code}\0M{message}\0\0".encode()
                    writer.write(b"E" + (len(fields) + 4).to_bytes(4) + fields)
                await writer.drain()
                break
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def why(dsn: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await connect(Secret(dsn), application_name="test", timeout_s=10)
    assert "hunter2" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("message", "words", "retryable"),
    [
        ("Tenant or user not found", "knows no such user or project", False),
        ("(ECIRCUITBREAKER) too many authentication failures, new connections are blocked", "circuit breaker", True),
        ("Circuit breaker open: too many authentication errors", "circuit breaker", True),
        ("unable to check out process from the pool due to timeout", "checkout timeout", True),
        ("(ECHECKOUTTIMEOUT) unable to check out connection from the pool after 60000ms", "checkout timeout", True),
        ("user is not permitted to connect to this pool", "does not permit this user", False),
        ("Address not in tenant allow_list: {10, 0, 0, 1}", "allow-list does not have our address", False),
        ('database "postgres" is not currently accepting connections', "is not accepting connections", True),
        ("the database system is not accepting connections", "is not accepting connections", True),
        ("SASL authentication failed", "(SASL)", False),
        ("MaxClientsInSessionMode: max clients reached", "too many connections", True),
        ('database "nowhere" does not exist', "no such database or role", False),
    ],
)
async def test_each_refusal_has_its_name(message: str, words: str, retryable: bool) -> None:
    async with server_that_says(message) as port:
        error = await why(f"postgresql://u:hunter2@127.0.0.1:{port}/d?gssencmode=disable")

    assert words in error.why
    assert error.retryable is retryable


async def test_tls_that_is_broken_off_is_named() -> None:
    async with server_that_says(None) as port:
        error = await why(f"postgresql://u:hunter2@127.0.0.1:{port}/d?sslmode=require&gssencmode=disable")

    assert "broken off during the login" in error.why
    assert error.retryable


async def test_a_missing_root_certificate_is_no_missing_database(tmp_path: object) -> None:
    async with server_that_says(None) as port:
        missing = f"sslmode=verify-full&sslrootcert={tmp_path}/none.crt&gssencmode=disable"
        error = await why(f"postgresql://u:hunter2@127.0.0.1:{port}/d?{missing}")

    assert "root certificate is missing" in error.why


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:hunter2@x@127.0.0.1:1/d",
        "postgresql://u:hunter2%zz@127.0.0.1:1/d",
        "postgresql://u:hunter2/x@127.0.0.1:1/d",
    ],
)
async def test_a_raw_character_in_the_password_is_to_be_encoded(dsn: str) -> None:
    assert "percent-encode the password" in (await why(dsn)).why


@pytest.mark.parametrize(("parameter", "words"), [("pgbouncer", "`pgbouncer`"), ("hunter2x", "a parameter")])
async def test_a_parameter_of_another_program_is_named_if_it_is_a_known_one(parameter: str, words: str) -> None:
    error = await why(f"postgresql://u:p@127.0.0.1:1/d?{parameter}=true")

    assert error.why == f"the address has {words}, which Postgres does not know: take it out"


async def test_a_closed_port_is_still_not_reachable(unused_tcp_port: int) -> None:
    assert (await why(f"postgresql://u:hunter2@127.0.0.1:{unused_tcp_port}/d")).why == "server not reachable"
