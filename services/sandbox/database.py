"""The sandbox's database: its own Postgres or the one in SUPABASE_DB_URL, with the drill's migrations."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import psycopg

from services.clients.postgres.installation import install
from services.clients.postgres.queries import SQL_DIRECTORY
from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.sandbox.postgres.server import DATABASE, PostgresServer, SandboxDatabase, prepare_cluster
from services.sandbox.web_server import find_free_port

HISTORY = Path(__file__).parent / "data" / "history.sql"
VERSION = "20991231000000"
TABLE = "ops.intake_logs"

_MIGRATION = f"-- Is there to be rolled back. No code reads it.\nCOMMENT ON TABLE {TABLE} IS 'Drilled.';\n"
_ROLLBACK = f"-- Any commit fits the schema afterwards.\nCOMMENT ON TABLE {TABLE} IS NULL;\n"
DESTRUCTIVE = "20991231000001_forget"  # the newest migration once a person adds it on the page
_FORGET = f"-- No code reads the column.\nALTER TABLE {TABLE} DROP COLUMN IF EXISTS remark;\n"
_REMEMBER = f"-- Any commit fits the schema afterwards.\nALTER TABLE {TABLE} ADD COLUMN remark text;\n"


def plant(directory: Path) -> Path:
    """Write our migrations and rollbacks, and the drill's, into this folder, to which `DRAGONFLY_SQL` can then be set.

    The destructive migration is written again if it was there, because it may have been applied.
    """
    is_destructive = _destructive(directory).exists()
    shutil.rmtree(directory, ignore_errors=True)
    for kind in ("migrations", "rollbacks"):
        shutil.copytree(SQL_DIRECTORY / kind, directory / kind)
    (directory / "migrations" / f"{VERSION}_drill.sql").write_text(_MIGRATION, encoding="utf-8")
    (directory / "rollbacks" / f"{VERSION}_rollback.sql").write_text(_ROLLBACK, encoding="utf-8")
    if is_destructive:
        plant_destructive(directory)
    return directory


def plant_destructive(directory: Path) -> None:
    """Write the destructive migration and its prepared rollback beside the others. Safe to repeat."""
    version = DESTRUCTIVE.partition("_")[0]
    (directory / "rollbacks" / f"{version}_rollback.sql").write_text(_REMEMBER, encoding="utf-8")
    _destructive(directory).write_text(_FORGET, encoding="utf-8")


def _destructive(directory: Path) -> Path:
    return directory / "migrations" / "operated" / f"{DESTRUCTIVE}.sql"


class LocalDatabase:
    """Starts, stops and prepares the database. Implements the page's `DatabaseFaults`.

    `sql_directory` has the migrations that it was prepared with: ours, and in our own server also the drill's.
    """

    def __init__(self, directory: Path, url: Secret | None, *, environment: str, fast: bool = False) -> None:
        """`environment`: the one it belongs to. `url`: use that database instead, with this login for every role.

        A database given by `url` is migrated and never stopped, and refused if it belongs to another environment.
        """
        self._url = url
        self._environment = environment
        self.sql_directory = SQL_DIRECTORY if url else directory / "sql"
        # One port for the whole run, so that a restarted server has the address that every client uses.
        self._server = None if url else PostgresServer(directory / "postgres", find_free_port(), fast=fast)
        self.urls: SandboxDatabase

    async def start(self) -> None:
        """Start the server if it is ours, and migrate."""
        if self._server is None:
            assert self._url is not None  # noqa: S101 - there is either a server or a URL
            await install(self._url, environment=self._environment)
            self.urls = SandboxDatabase(owner=self._url, app=self._url, bot=self._url)
            return
        await asyncio.to_thread(plant, self.sql_directory)
        await asyncio.to_thread(self._server.start)
        self.urls = await self.prepare(self._environment, DATABASE)

    async def prepare(self, environment: str, name: str) -> SandboxDatabase:
        """Prepare and migrate one database of our own server. Raises OperatorError if the server is not ours."""
        if self._server is None:
            raise _not_ours()
        migrations = self.sql_directory / "migrations"
        return await asyncio.to_thread(
            prepare_cluster, self._server, environment=environment, migrations=migrations, name=name
        )

    async def stop(self) -> None:
        """Stop our own server; another one is left alone."""
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    async def plant_history(self) -> None:
        """Add a month of on-call history if there was never an incident; only in our own database."""
        if self._server is None:
            return
        async with await psycopg.AsyncConnection.connect(self.urls.owner.reveal()) as conn:
            found = await (await conn.execute("SELECT EXISTS (SELECT FROM chatops.incidents)")).fetchone()
            if found and not found[0]:
                await conn.execute(HISTORY.read_bytes())

    async def plant_migration(self) -> str:
        """Add the destructive migration and return its name. Raises OperatorError if the database is not ours."""
        if self._server is None:
            raise _not_ours()
        await asyncio.to_thread(plant_destructive, self.sql_directory)
        return DESTRUCTIVE

    def postgres_running(self) -> bool:
        return self._server is None or self._server.is_running

    async def stop_postgres(self) -> None:
        """Stop the server. Raises OperatorError if it is not ours."""
        if self._server is None:
            raise _not_ours()
        await asyncio.to_thread(self._server.stop)

    async def start_postgres(self) -> None:
        """Start the server. Raises OperatorError if it is not ours."""
        if self._server is None:
            raise _not_ours()
        await asyncio.to_thread(self._server.start)


async def has_batches(urls: SandboxDatabase) -> bool:
    """True if a file was ever uploaded."""
    async with await psycopg.AsyncConnection.connect(urls.owner.reveal()) as conn:
        found = await conn.execute("SELECT EXISTS (SELECT FROM intake.simplicity_batches)")
        row = await found.fetchone()
    return bool(row and row[0])


def _not_ours() -> OperatorError:
    return OperatorError(
        "The database was left alone",
        why="SUPABASE_DB_URL names it, so it is not the sandbox's own",
        what_next="Start the demo without that variable to break a database that is not in use.",
    )
