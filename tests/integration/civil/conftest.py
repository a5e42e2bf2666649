"""The system `civil` in its two vintages, each a fresh database of a server whose roles are its own."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

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
        """Of a role that may log in; it gets its password here."""
        with psycopg.connect(self.owner_dsn, autocommit=True) as conn:
            command = sql.SQL("ALTER ROLE {} PASSWORD {}")
            conn.execute(command.format(sql.Identifier(role), sql.Literal(self.server.password(role))))
        return self.server.dsn(role, self.server.password(role), self.name)


@pytest.fixture(scope="session")
def civil_server() -> Iterator[PostgresServer]:
    """Of its own, because roles belong to a whole server: in the other tests' one dragonfly_bot stands already."""
    with tempfile.TemporaryDirectory(prefix="dragonfly-civil-") as folder:
        server = PostgresServer(Path(folder) / "postgres", fast=True)
        server.start()
        try:
            make_owner(server)
            yield server
        finally:
            server.erase()


@pytest.fixture(scope="session")
def civil_templates(civil_server: PostgresServer) -> dict[str, str]:
    """`{vintage: the name of a database that is copied}`: running the SQL costs several times a copy."""
    templates = {vintage: f"civil_template_{vintage}" for vintage in VINTAGES}
    for vintage, name in templates.items():
        make_database(civil_server, name)
        for file in VINTAGES[vintage]:
            with psycopg.connect(dsns(civil_server, name).owner.reveal(), autocommit=True) as conn:
                conn.execute((FILES / file).read_text(encoding="utf-8"))
    return templates


@pytest.fixture(params=list(VINTAGES))
def civil(
    request: pytest.FixtureRequest, civil_server: PostgresServer, civil_templates: dict[str, str]
) -> Iterator[Civil]:
    """A fresh database in each vintage, dropped afterwards with the bot's role."""
    made = Civil(civil_server, f"civil_{next(_numbers)}", request.param)
    make_database(civil_server, made.name, template=civil_templates[made.vintage])
    yield made
    with psycopg.connect(civil_server.superuser_dsn(), autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(made.name)))
        conn.execute("DROP ROLE IF EXISTS dragonfly_bot")


@pytest.fixture
async def as_owner(civil: Civil) -> AsyncIterator[Connection]:
    """As who owns everything there: no superuser, but BYPASSRLS and CREATEROLE."""
    async with await psycopg.AsyncConnection.connect(civil.owner_dsn, autocommit=True) as conn:
        assert OWNER in civil.owner_dsn
        yield conn
