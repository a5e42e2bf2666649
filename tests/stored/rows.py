"""Stores the rows of a database as lines of JSON, and loads them: plain SQL, independent of our code.

The first line names the newest migration and the time. One line per row follows, in a stable order.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

SCHEMAS = ["chatops", "enforcement", "intake", "ops", "public"]
AGE_S = 60.0  # between dump and load, by the loaded times: each lease is over, no request has expired
HASHED = ("chatops", "audit")  # its hashes include its times

_TABLES: LiteralString = """
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = ANY (%s) ORDER BY 1, 2
"""
_COLUMNS: LiteralString = """
SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute AS a
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum
"""
_APPLIED: LiteralString = """
SELECT version, checksum FROM supabase_migrations.schema_migrations WHERE version <= %s ORDER BY version
"""
_IDENTITY: LiteralString = """
SELECT attname FROM pg_attribute WHERE attrelid = %s::text::regclass AND attidentity <> ''
"""

Connection = psycopg.AsyncConnection[Any]


async def dump_rows(dsn: str, path: Path, *, migration: str) -> None:
    """Dump all rows as of one moment. Needs a superuser."""
    async with await psycopg.AsyncConnection.connect(dsn) as conn:
        await conn.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        [(at,)] = await _fetch(conn, "SELECT clock_timestamp()::text")
        applied = [list(row) for row in await _fetch(conn, _APPLIED, migration)]
        lines: list[dict[str, Any]] = [{"migration": migration, "at": at, "applied": applied}]
        for schema, table in await _fetch(conn, _TABLES, SCHEMAS):
            query = sql.SQL('SELECT to_jsonb(t) FROM {} AS t ORDER BY to_jsonb(t)::text COLLATE "C"')
            rows = await (await conn.execute(query.format(sql.Identifier(schema, table)))).fetchall()
            lines += [{"table": f"{schema}.{table}", "row": row} for (row,) in rows]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def read_header(path: Path) -> dict[str, Any]:
    """Read the header: `{"migration": the newest, "at": when, "applied": [[version, checksum], …]}`."""
    with path.open(encoding="utf-8") as lines:
        header: dict[str, Any] = json.loads(next(lines))
        return header


async def load_rows(dsn: str, path: Path, *, age_s: float = AGE_S) -> None:
    """Replace all rows by the stored ones, as if the dump were `age_s` seconds old.

    Runs as a superuser without triggers and foreign keys, because rows are in any state. Columns that a row has and the
    table lacks are an error.
    """
    header = read_header(path)
    by_table: dict[str, list[dict[str, Any]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        entry = json.loads(line)
        by_table.setdefault(entry["table"], []).append(entry["row"])
    async with await psycopg.AsyncConnection.connect(dsn) as conn:
        await conn.execute("SET LOCAL session_replication_role = replica")
        later = "clock_timestamp() - make_interval(secs => %s) - %s::timestamptz"
        [(shift,)] = await _fetch(conn, f"SELECT ({later})::text", age_s, header["at"])
        for schema, table in await _fetch(conn, _TABLES, SCHEMAS):
            await conn.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, table)))
            await _insert(conn, schema, table, by_table.pop(f"{schema}.{table}", []), shift)
        assert not by_table, f"there are no such tables: {sorted(by_table)}"


async def _insert(conn: Connection, schema: str, table: str, rows: list[dict[str, Any]], shift: str) -> None:
    if not rows:
        return
    name = f"{schema}.{table}"
    columns = dict(await _fetch(conn, _COLUMNS, name))
    assert set(rows[0]) <= set(columns), f"{name} has no {sorted(set(rows[0]) - set(columns))}"
    chosen = [column for column in columns if column in rows[0]]  # a newer column keeps its default
    moved = {"timestamp with time zone"} if (schema, table) != HASHED else set()
    values = [
        sql.SQL("{} + {}::interval").format(sql.Identifier(one), sql.Literal(shift))
        if columns[one] in moved
        else sql.Identifier(one)
        for one in chosen
    ]
    query = sql.SQL(
        "INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE"
        " SELECT {values} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)"
    )
    names = sql.SQL(", ").join(map(sql.Identifier, chosen))
    await conn.execute(
        query.format(table=sql.Identifier(schema, table), names=names, values=sql.SQL(", ").join(values)),
        [json.dumps(rows)],
    )
    for (column,) in await _fetch(conn, _IDENTITY, name):
        last = max(row[column] for row in rows)
        await conn.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", [name, column, last])


async def _fetch(conn: Connection, query: Any, *arguments: object) -> list[Any]:
    return await (await conn.execute(query, arguments or None)).fetchall()
