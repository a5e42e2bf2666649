"""The audit log. The typed calls of `sql/queries/audit.sql`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all, fetch_row
from services.domain.audit import AuditChain, AuditHead, AuditReport, AuditRow, ExportedRow, judge_chain


async def append_audit(
    conn: Connection, *, actor: str, event: str, run_id: int | None, details: Mapping[str, Any]
) -> str:
    """The new row's hash. Append last in a transaction: it blocks other appends until it ends.

    `details` is JSON-able and holds no secret and no personal data beyond Slack ids: it stays forever.
    """
    parameters = {"actor": actor, "event": event, "run_id": run_id, "details": Jsonb(dict(details))}
    row = await (await conn.execute(SQL["append_audit"], parameters)).fetchone()
    assert row is not None  # noqa: S101 - a function call gives one row
    return str(row[0])


async def count_acts(conn: Connection, *, actor: str, event: str, incident_id: int | None, window: timedelta) -> int:
    """How often the actor did it within the window: to this incident, or at all."""
    parameters = {"actor": actor, "event": event, "incident_id": incident_id, "window": window}
    row = await (await conn.execute(SQL["count_acts"], parameters)).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives one row
    return int(row[0])


async def list_audit(conn: Connection, *, limit: int, run_id: int | None = None) -> list[AuditRow]:
    """Newest first, of one run when it is given."""
    if run_id is not None:
        return await list_audit_of_run(conn, run_id=run_id, limit=limit)
    return await fetch_all(conn, AuditRow, "list_audit", limit=limit)


async def list_audit_of_run(conn: Connection, *, run_id: int, limit: int) -> list[AuditRow]:
    """Newest first."""
    return await fetch_all(conn, AuditRow, "list_audit_of_run", run_id=run_id, limit=limit)


async def verify_audit(conn: Connection, *, remembered: str = "") -> AuditReport:
    """Whether every row is there and as it was written.

    `remembered`: a hash that some closing message shows, or its beginning; it proves that even a superuser who could
    write everything, the remembered head too, did not shorten the log. Takes about a second for each 100,000 rows.
    """
    return judge_chain(await check_audit(conn, remembered=remembered), remembered=remembered)


async def check_audit(conn: Connection, *, remembered: str) -> AuditChain:
    """One pass over all rows."""
    return await fetch_row(conn, AuditChain, "check_audit", remembered=remembered)


async def export_audit(conn: Connection, *, after: int, limit: int) -> list[ExportedRow]:
    """The rows that follow the row `after`, oldest first."""
    return await fetch_all(conn, ExportedRow, "export_audit", after=after, limit=limit)


async def read_audit_head(conn: Connection) -> AuditHead:
    """What the newest row is, as remembered apart from the rows."""
    return await fetch_row(conn, AuditHead, "read_audit_head")  # written by the migration, and kept by a trigger
