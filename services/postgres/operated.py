"""Can our reads of the operated tables run on this database? Databases in the wild name columns differently."""

from __future__ import annotations

import re

import psycopg

from services.postgres.errors import explain
from services.postgres.pool import Connection
from services.postgres.queries import OPERATED_SQL

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


async def explain_operated_queries(conn: Connection) -> dict[str, str | None]:
    """`{query name: None, or why it cannot run}`: plans each query as our role, and runs none."""
    return {name: await _explain(conn, sql) for name, sql in sorted(OPERATED_SQL.items())}


async def _explain(conn: Connection, sql: str) -> str | None:
    # NULL fits every parameter's type, so nothing has to be known about the query.
    statement = "EXPLAIN " + _PLACEHOLDER.sub("NULL", sql)
    try:
        async with conn.transaction():  # a savepoint: one failure must not end the caller's transaction
            await conn.execute(statement.encode())
    except psycopg.Error as error:
        if conn.closed:
            raise
        return explain(error, timeout_s=0).why
    return None
