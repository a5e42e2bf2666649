"""The audit log. Typed calls of `sql/queries/audit.sql`."""

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
    """Append a row and return its hash. Make this the last statement of a transaction: it blocks other appends.

    `details` must be JSON-serializable, without secrets and without personal data except Slack ids: it is kept forever.
    """
    parameters = {"actor": actor, "event": event, "run_id": run_id, "details": Jsonb(dict(details))}
    row = await (await conn.execute(SQL["append_audit"], parameters)).fetchone()
    assert row is not None  # noqa: S101 - a function call gives one row
    return str(row[0])


async def count_acts(conn: Connection, *, actor: str, event: str, incident_id: int | None, window: timedelta) -> int:
    """Count how often the actor did this within the window: to this incident, or, if it is None, at all."""
    parameters = {"actor": actor, "event": event, "incident_id": incident_id, "window": window}
    row = await (await conn.execute(SQL["count_acts"], parameters)).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives one row
    return int(row[0])


async def list_audit(conn: Connection, *, limit: int, run_id: int | None = None) -> list[AuditRow]:
    """List rows, newest first; of one run if it is given."""
    if run_id is not None:
        return await list_audit_of_run(conn, run_id=run_id, limit=limit)
    return await fetch_all(conn, AuditRow, "list_audit", limit=limit)


async def list_audit_of_run(conn: Connection, *, run_id: int, limit: int) -> list[AuditRow]:
    """List the rows of one run, newest first."""
    return await fetch_all(conn, AuditRow, "list_audit_of_run", run_id=run_id, limit=limit)


async def verify_audit(conn: Connection, *, remembered: str = "") -> AuditReport:
    """Check that every row is present and unchanged.

    `remembered`: a hash from a closing message, or its beginning. It proves that the log was not shortened, even by a
    superuser who could change every row, the stored head included. Takes about 1 s per 100,000 rows.
    """
    return judge_chain(await check_audit(conn, remembered=remembered), remembered=remembered)


async def check_audit(conn: Connection, *, remembered: str) -> AuditChain:
    """Read all rows once and return what the check needs to judge."""
    return await fetch_row(conn, AuditChain, "check_audit", remembered=remembered)


async def export_audit(conn: Connection, *, after: int, limit: int) -> list[ExportedRow]:
    """List the rows after the row number `after`, oldest first."""
    return await fetch_all(conn, ExportedRow, "export_audit", after=after, limit=limit)


async def read_audit_head(conn: Connection) -> AuditHead:
    """Return the number and hash of the newest row, as stored separately from the rows."""
    return await fetch_row(conn, AuditHead, "read_audit_head")  # created by a migration, updated by a trigger
