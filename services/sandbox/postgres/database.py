"""Prepares the sandbox's database as Supabase gives it to its customers: an owner who is no superuser."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from services.domain.secrets import Secret
from services.postgres.installation import install
from services.postgres.migrations import MIGRATIONS
from services.sandbox.postgres.server import PostgresServer

OWNER, APP, BOT = "postgres", "dragonfly_app", "dragonfly_bot"
DATABASE = "dragonfly"


@dataclass(frozen=True)
class SandboxDatabase:
    """Connection strings, one a role."""

    owner: Secret
    app: Secret
    bot: Secret


def prepare_cluster(
    server: PostgresServer, *, environment: str = "dev", migrations: Path = MIGRATIONS
) -> SandboxDatabase:
    """Make owner and database where they are missing, migrate as the owner, and set the roles' passwords.

    Blocking; call it in a thread from async code. Safe to repeat at each start.
    """
    make_owner(server)
    make_database(server, DATABASE)
    database = dsns(server, DATABASE)
    asyncio.run(install(database.owner, environment=environment, directory=migrations))
    give_passwords(server, DATABASE)
    return database


def dsns(server: PostgresServer, database: str) -> SandboxDatabase:
    """The connection strings of one database."""
    return SandboxDatabase(*(Secret(server.dsn(role, server.password(role), database)) for role in (OWNER, APP, BOT)))


def make_owner(server: PostgresServer) -> None:
    """The only thing done as superuser."""
    with psycopg.connect(server.superuser_dsn(), autocommit=True) as conn:
        if not _exists(conn, "SELECT FROM pg_roles WHERE rolname = %s", OWNER):
            conn.execute(
                sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER CREATEDB CREATEROLE BYPASSRLS PASSWORD {}").format(
                    sql.Identifier(OWNER), sql.Literal(server.password(OWNER))
                )
            )


def make_database(server: PostgresServer, name: str, *, template: str = "template0") -> None:
    """Make a database as the owner, unless it exists."""
    with psycopg.connect(dsns(server, "template1").owner.reveal(), autocommit=True) as conn:
        if not _exists(conn, "SELECT FROM pg_database WHERE datname = %s", name):
            # Our templates are small: copying their files costs half of what writing them through the log does.
            command = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
            conn.execute(command.format(sql.Identifier(name), sql.Identifier(template)))


def give_passwords(server: PostgresServer, database: str) -> None:
    """Let app and bot log in. The migrations make the roles without a password."""
    with psycopg.connect(dsns(server, database).owner.reveal(), autocommit=True) as conn:
        for role in (APP, BOT):
            command = sql.SQL("ALTER ROLE {} PASSWORD {}")
            conn.execute(command.format(sql.Identifier(role), sql.Literal(server.password(role))))


def _exists(conn: psycopg.Connection[tuple[object, ...]], query: LiteralString, name: str) -> bool:
    return conn.execute(query, (name,)).fetchone() is not None
