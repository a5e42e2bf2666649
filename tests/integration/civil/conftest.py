"""The system `civil` in its two vintages, each a fresh database on a separate server, because of its roles."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from bot.cli import dispatch
from services.clients.postgres.pool import Connection
from services.sandbox.postgres.server import OWNER, PostgresServer, dsns, make_database, make_owner

FILES = Path(__file__).parent
VINTAGES = {"december": ("civil_dec.sql",), "january": ("civil_dec.sql", "civil_jan.sql")}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Civil:
    """One database of the system. `vintage`: december or january."""

    server: PostgresServer
    name: str
    vintage: str

    @property
    def owner_dsn(self) -> str:
        return dsns(self.server, self.name).owner.reveal()

    def dsn(self, role: str) -> str:
        """Return the DSN of a role with a login, whose password is set here."""
        with psycopg.connect(self.owner_dsn, autocommit=True) as conn:
            command = sql.SQL("ALTER ROLE {} PASSWORD {}")
            conn.execute(command.format(sql.Identifier(role), sql.Literal(self.server.password(role))))
        return self.server.dsn(role, self.server.password(role), self.name)


@pytest.fixture(scope="session")
def civil_server() -> Iterator[PostgresServer]:
    """A separate server, because roles belong to a whole server: on the other tests' server dragonfly_bot exists."""
    with _server() as server:
        for vintage in VINTAGES:
            _make_template(server, vintage)
        yield server


@pytest.fixture(scope="session")
def adopted_server() -> Iterator[PostgresServer]:
    """A second server, on which the bot's role exists."""
    with _server() as server:
        for vintage in VINTAGES:
            template = _make_template(server, vintage)
            environ = {"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev", "SUPABASE_DB_URL": template.owner_dsn}
            assert asyncio.run(dispatch(["adopt"], environ)).code == 0
        yield server


@contextlib.contextmanager
def _server() -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="dragonfly-civil-") as folder:
        server = PostgresServer(Path(folder) / "postgres", fast=True)
        server.start()
        try:
            make_owner(server)
            yield server
        finally:
            server.erase()


def _make_template(server: PostgresServer, vintage: str) -> Civil:
    """Make the database that `_copied` copies: running the SQL takes several times as long, the adoption 0.5 s."""
    template = Civil(server, f"template_{vintage}", vintage)
    make_database(server, template.name)
    for file in VINTAGES[vintage]:
        with psycopg.connect(template.owner_dsn, autocommit=True) as conn:
            conn.execute((FILES / file).read_text(encoding="utf-8"))
    return template


@contextlib.contextmanager
def _copied(server: PostgresServer, vintage: str) -> Iterator[Civil]:
    made = Civil(server, f"civil_{next(_numbers)}", vintage)
    make_database(server, made.name, template=f"template_{vintage}")
    yield made
    with psycopg.connect(server.superuser_dsn(), autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(made.name)))


@pytest.fixture(params=list(VINTAGES))
def civil(request: pytest.FixtureRequest, civil_server: PostgresServer) -> Iterator[Civil]:
    """A fresh database in each vintage, dropped afterwards together with the bot's role."""
    with _copied(civil_server, request.param) as made:
        yield made
    with psycopg.connect(civil_server.superuser_dsn(), autocommit=True) as conn:
        conn.execute("DROP ROLE IF EXISTS dragonfly_bot")


@pytest.fixture(params=list(VINTAGES))
def adopted(request: pytest.FixtureRequest, adopted_server: PostgresServer) -> Iterator[Civil]:
    """A fresh adopted database in each vintage. A module that always adopts names it `civil`."""
    with _copied(adopted_server, request.param) as made:
        yield made


@pytest.fixture
async def as_owner(civil: Civil) -> AsyncIterator[Connection]:
    """A connection as the owner of everything there: not a superuser, but with BYPASSRLS and CREATEROLE."""
    async with await psycopg.AsyncConnection.connect(civil.owner_dsn, autocommit=True) as conn:
        assert OWNER in civil.owner_dsn
        yield conn
