"""Reasons for a missing session: each refusal of the server and of the poolers, as they write it on the wire."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from services.clients.postgres.pool import Database, connect
from services.domain.errors import SourceError
from services.domain.secrets import Secret

AUTHENTICATED = b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I"  # AuthenticationOk, ReadyForQuery
CHECKOUT = """(ECHECKOUTTIMEOUT) Pool checkout timeout. Request was dropped after 60000ms in Transaction mode. \
This means requests are coming in and your connection pool cannot serve them fast enough. You can address this by:

  1. Ensuring your database is available and that you can connect to it
  2. Tracking down slow queries and making sure they are running fast enough
"""


@contextlib.asynccontextmanager
async def server_that_says(
    message: str | None, code: str = "XX000", *, takes_the_session: bool = False
) -> AsyncIterator[int]:
    """A server that answers the startup with a FATAL of this message, or hangs up at the TLS handshake if it is None;
    yields its port.

    takes_the_session: it accepts the login, and sends the message as the answer to the first statement.
    """

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
                    if takes_the_session:
                        writer.write(AUTHENTICATED)
                        await reader.readexactly(1)
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
        ("(ENOTFOUND) tenant/user postgres.abcdef not found", "knows no such user or project", False),
        ("(ETENANTNOTFOUND) tenant or user not found", "knows no such user or project", False),
        (
            "(ENOIDENTIFIER) no tenant identifier provided (external_id or sni_hostname required)",
            "needs the project in the user",
            False,
        ),
        (
            '(EINVALIDUSERINFO) Authentication error, reason: "Invalid format for user or db_name"',
            "needs the user name as",
            False,
        ),
        ("(EBANNED) tenant is banned: abuse", "has banned this project", False),
        ("(ECIRCUITBREAKER) Too many authentication errors", "after too many failed ones (circuit breaker)", True),
        ("Circuit breaker open: Too many authentication errors", "after too many failed ones (circuit breaker)", True),
        (
            "(ECIRCUITBREAKER) Failed to retrieve database credentials",
            "could not read the credentials from the database (circuit breaker)",
            True,
        ),
        (
            "(ECIRCUITBREAKER) Unable to establish connection to upstream database",
            "did not reach the database (circuit breaker)",
            True,
        ),
        ("Unable to check out process from the pool due to timeout", "checkout timeout", True),
        (CHECKOUT, "checkout timeout", True),
        ("(EADDRNOTALLOWED) address not in tenant allow_list: {10, 0, 0, 1}", "allow-list does not have", False),
        ("(ESSLREQUIRED) SSL connection is required for user: postgres", "set sslmode=require", False),
        ("(EAUTHQUERY) user not found in the database", "the database knows no such user", False),
        (
            "(EAUTHQUERY) authentication query failed: connection to database not available",
            "could not check the login in the database",
            True,
        ),
        ("(EDBHANDLEREXITED) connection to database closed. Check logs for more information", "lost its", True),
        ("(EAUTHTIMEOUT) timeout while waiting for message", "took too long for the pooler", True),
        (
            "(EMAXCONNSESSION) max clients reached in session mode - max clients are limited to pool_size: 15",
            "too many connections",
            True,
        ),
        ("(EMAXCONN) max client connections reached, limit: 200", "too many connections", True),
        ("Max client connections reached", "too many connections", True),
        (
            "MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited to pool_size",
            "too many connections",
            True,
        ),
        ('password authentication failed for user "circuit breaker"', "password refused", False),
        ('role "reader" is not permitted to log in', "this role may not log in", False),
        ('database "postgres" is not currently accepting connections', "is not accepting connections", True),
        ("the database system is not accepting connections", "is not accepting connections", True),
        ("SASL authentication failed", "(SASL)", False),
        ('database "nowhere" does not exist', "no such database or role", False),
    ],
)
async def test_each_refusal_has_its_name(message: str, words: str, retryable: bool) -> None:
    async with server_that_says(message) as port:
        error = await why(f"postgresql://u:hunter2@127.0.0.1:{port}/d?gssencmode=disable")

    assert words in error.why
    assert error.retryable is retryable


@pytest.mark.parametrize(
    ("message", "words", "retryable"),
    [
        ("no more connections allowed (max_client_conn)", "too many connections", True),
        ("client connections exceeded (max_user_client_connections)", "too many connections", True),
        ("query_wait_timeout", "no free connection in time", True),
        ("client_login_timeout (server down)", "does not reach the database", True),
        ("pgbouncer cannot connect to server", "does not reach the database", True),
        (
            "server login has been failing, cached error: connect failed (server_login_retry)",
            "does not reach the database",
            True,
        ),
        ("SSL required", "set sslmode=require", False),
        ("no such database: dragonfly", "knows no such database", False),
        ("SASL authentication failed", "(SASL)", False),
        ("unsupported startup parameter: search_path", "a parameter of the address", False),
    ],
)
async def test_each_refusal_of_pgbouncer_has_its_name(message: str, words: str, retryable: bool) -> None:
    async with server_that_says(message, "08P01") as port:
        error = await why(f"postgresql://u:hunter2@127.0.0.1:{port}/d?gssencmode=disable")

    assert words in error.why
    assert error.retryable is retryable


@pytest.mark.parametrize(("message", "code"), [(CHECKOUT, "XX000"), ("query_wait_timeout", "08P01")])
async def test_a_pooler_that_refuses_the_first_statement_is_named_too(message: str, code: str) -> None:
    async with server_that_says(message, code, takes_the_session=True) as port:
        database = Database.connect_lazily(
            Secret(f"postgresql://u:hunter2@127.0.0.1:{port}/d?gssencmode=disable"), application_name="test"
        )
        with pytest.raises(SourceError) as caught:
            await database.open()
        await database.close()

    assert caught.value.why == "the pooler found no free connection in time (checkout timeout)"
    assert caught.value.retryable


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

    assert error.why == f"the address has {words}, which Postgres does not know: remove it"


async def test_a_closed_port_is_still_not_reachable(unused_tcp_port: int) -> None:
    assert (await why(f"postgresql://u:hunter2@127.0.0.1:{unused_tcp_port}/d")).why == "server not reachable"
