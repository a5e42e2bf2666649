"""Reads the named queries of `sql/` once: `{query name: SQL}`.

The typed calls of `sql/queries/clock.sql`.

A file holds blocks that begin with `-- name: <name>`; the comment lines below the name say what the query is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from services.clients.postgres.pool import Connection

SQL_DIRECTORY = Path(__file__).parents[3] / "sql"
QUERIES = SQL_DIRECTORY / "queries"
OPERATED = SQL_DIRECTORY / "operated" / "runbook"  # the reads of the operated system, in our own dialect

_NAME = re.compile(r"^-- name: *([a-z_][a-z0-9_]*) *$", re.MULTILINE)


def read_queries(*places: Path) -> dict[str, str]:
    """All named queries of these files and folders. Raises ValueError for a name used twice or SQL without a name."""
    found: dict[str, str] = {}
    for path in (path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*.sql")))):
        for name, sql in _blocks(path):
            if name in found:
                raise ValueError(f"{path}: the query `{name}` exists already; give it another name")
            found[name] = sql
    return found


def _blocks(path: Path) -> Iterator[tuple[str, str]]:
    before, *parts = _NAME.split(path.read_text(encoding="utf-8"))
    if any(line.strip() and not line.startswith("--") for line in before.splitlines()):
        raise ValueError(f"{path}: SQL stands before the first `-- name:` line")
    for name, sql in zip(parts[::2], parts[1::2], strict=True):
        yield name, sql.strip().removesuffix(";")


OPERATED_SQL: Mapping[str, str] = MappingProxyType(read_queries(OPERATED))
SQL: Mapping[str, str] = MappingProxyType(read_queries(QUERIES, OPERATED))


async def read_clock(conn: Connection) -> datetime:
    """This very moment, not the transaction's beginning; timezone-aware."""
    row = await (await conn.execute(SQL["read_clock"])).fetchone()
    assert row is not None  # noqa: S101 - SELECT without FROM gives one row
    moment: datetime = row[0]
    return moment
