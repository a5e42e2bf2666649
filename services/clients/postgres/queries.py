"""Loads the named queries of `sql/` once, as `{query name: SQL}`; those of the operated system once per system.

Also the typed call of `sql/queries/clock.sql`.

A file holds blocks that begin with `-- name: <name>`, or `-- name: <name> (<system>, …)` where the query differs
between the operated systems. The comment lines below the name give the query's purpose; `-- commands: a, b` lists the
commands that cannot work without it. `-- affects: <words>` above all blocks says what does not work without the file.
`drift.py` reads these two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from psycopg.rows import kwargs_row

from services.clients.postgres.pool import Connection, system_of
from services.domain.systems import SYSTEMS, System
from services.domain.thresholds import StaleLimits

SQL_DIRECTORY = Path(__file__).parents[3] / "sql"
QUERIES = SQL_DIRECTORY / "queries"
OPERATED = SQL_DIRECTORY / "operated"  # each query for every system, or once per system

_NAME = re.compile(r"^-- name: *([a-z_][a-z0-9_]*)(?: *\(([a-z0-9_, ]+)\))? *$", re.MULTILINE)


def read_queries(place: Path, system: str = "") -> dict[str, str]:
    """Read the named queries of this file or folder that are for all systems or for `system`.

    Raises ValueError for a name used twice or SQL without a name.
    """
    found: dict[str, str] = {}
    for path in [place] if place.is_file() else sorted(place.rglob("*.sql")):
        for name, systems, sql in _blocks(path):
            if systems and system not in systems:
                continue
            if name in found:
                raise ValueError(f"{path}: the query `{name}` exists already; give it another name")
            found[name] = sql
    return found


def _blocks(path: Path) -> Iterator[tuple[str, list[str], str]]:
    """Yield name, systems (empty: all) and SQL of each query."""
    before, *parts = _NAME.split(path.read_text(encoding="utf-8"))
    if any(line.strip() and not line.startswith("--") for line in before.splitlines()):
        raise ValueError(f"{path}: SQL stands before the first `-- name:` line")
    for name, systems, sql in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        yield name, systems.split(", ") if systems else [], sql.strip().removesuffix(";")


SQL: Mapping[str, str] = MappingProxyType(read_queries(QUERIES))
DIALECTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {system.name: MappingProxyType(read_queries(OPERATED, system.name)) for system in SYSTEMS}
)

_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+(\w+\.\w+)\b(?!\()")
_BEHIND = {
    "ops.claimable_levels": "ops.job_queue",
    "ops.pending_levels": "ops.job_queue",
}  # {view: table}; the views are read with the rights of our role

T = TypeVar("T")
Q = TypeVar("Q", bound=Callable[..., object])

_COUNTED: dict[Callable[..., object], tuple[str, ...]] = {}


def query_of(conn: Connection, name: str) -> str:
    """The SQL of this named query; if it differs between systems, for the system of the connection's database."""
    return SQL[name] if name in SQL else DIALECTS[system_of(conn).name][name]


def tables_of(system: System, *names: str) -> list[str]:
    """The operated tables (schema.table) that these queries read in this system; of all queries if none is named."""
    dialect = DIALECTS[system.name]
    found = {table for name in names or dialect for table in _TABLE.findall(dialect[name])}
    read = {table for table in found if table.partition(".")[0] in system.schemas}
    return sorted({_BEHIND.get(table, table) for table in read})


def counts_all_rows(*names: str) -> Callable[[Q], Q]:
    """Mark a call whose answer is wrong if row-level security hides rows from our role.

    `names`: the queries with which it counts; by default the one with its own name.
    """

    def mark(call: Q) -> Q:
        _COUNTED[call] = names or (call.__name__,)
        return call

    return mark


def tables_counted_by(call: Callable[..., object], system: System) -> list[str]:
    """The tables of which this call must see all rows; empty if the call is not marked."""
    return tables_of(system, *_COUNTED[call]) if call in _COUNTED else []


async def fetch_all(conn: Connection, make: Callable[..., T], name: str, **values: Any) -> list[T]:
    """Run this named query and return all rows; `make` takes the columns by name, `values` are the parameters."""
    async with conn.cursor(row_factory=kwargs_row(make)) as cur:
        await cur.execute(query_of(conn, name), values or None)  # None: a % in the SQL needs no escaping
        return await cur.fetchall()


async def fetch_one(conn: Connection, make: Callable[..., T], name: str, **values: Any) -> T | None:
    """Run this named query and return its first row; None if there is none."""
    async with conn.cursor(row_factory=kwargs_row(make)) as cur:
        await cur.execute(query_of(conn, name), values or None)
        return await cur.fetchone()


async def fetch_row(conn: Connection, make: Callable[..., T], name: str, **values: Any) -> T:
    """Run a named query that always returns a row: scalars, an aggregate, or INSERT … RETURNING."""
    row = await fetch_one(conn, make, name, **values)
    if row is None:
        raise RuntimeError(f"the query {name} gave no row")
    return row


async def read_clock(conn: Connection) -> datetime:
    """The database's current time, not the start of the transaction; timezone-aware."""
    row = await (await conn.execute(SQL["read_clock"])).fetchone()
    assert row is not None  # noqa: S101 - SELECT without FROM gives one row
    moment: datetime = row[0]
    return moment


def stale_parameters(limits: StaleLimits) -> dict[str, Any]:
    """The parameters `stale_after` (general limit) and `stale_by_type` (`{worker type: interval}` as JSON)."""
    by_type = {str(kind): f"{limit.total_seconds()} seconds" for kind, limit in limits.by_type.items()}
    return {"stale_after": limits.general, "stale_by_type": json.dumps(by_type)}
