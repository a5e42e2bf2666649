"""Reads what the server says of itself. The typed call of `sql/operated/runbook/server.sql`."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.rows import class_row, dict_row

from services.domain.server import ServerFacts, SessionRole
from services.postgres.pool import Connection
from services.postgres.queries import SQL

TRANSACTION_POOLER_PORT = 6543  # Supabase; 5432 on the same host is its session pooler


async def read_server(conn: Connection) -> ServerFacts:
    """Role, database, clock, version and visible schemas; `server_time` is the transaction's `now()`."""
    async with conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(SQL["read_server"])
        row = await cur.fetchone()
    if row is None:
        raise RuntimeError("a SELECT of scalars gave no row")
    mode = pooler_mode(conn.info.host, conn.info.port)
    return ServerFacts(
        **{**row, "schemas": tuple(row["schemas"]), "hidden_tables": tuple(row["hidden_tables"])}, pooler_mode=mode
    )


async def list_hidden_tables(conn: Connection, *, tables: Sequence[str]) -> list[str]:
    """Those of these tables ("ops.job_queue") of which row-level security may hide rows from our role."""
    cur = await conn.execute(SQL["list_hidden_tables"], {"tables": list(tables)})
    return [name for (name,) in await cur.fetchall()]


async def list_session_roles(conn: Connection) -> list[SessionRole]:
    """Of the API's and the workers' sessions that the server shows under their own names; a pooler may hide them."""
    async with conn.cursor(row_factory=class_row(SessionRole)) as cur:
        await cur.execute(SQL["list_session_roles"])
        return await cur.fetchall()


def pooler_mode(host: str, port: int) -> str:
    """`transaction`, `session` or `direct`, by Supabase's addresses."""
    if port == TRANSACTION_POOLER_PORT:
        return "transaction"
    return "session" if ".pooler." in host else "direct"
