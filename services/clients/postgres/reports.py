"""Counts and averages over a time window. Typed calls of `sql/queries/reports.sql`."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all, fetch_row
from services.domain.reports import (
    ApprovalNumbers,
    DeploymentNumbers,
    HeldBack,
    IncidentNumbers,
    RuleNumbers,
    Shift,
)


async def read_records_since(conn: Connection) -> datetime | None:
    """The time from which on there may be records; None if it is unknown."""
    row = await (await conn.execute(SQL["read_records_since"])).fetchone()
    return row[0] if row else None


async def report_incidents(
    conn: Connection, *, since: datetime, until: datetime, environment: str, service: str | None
) -> IncidentNumbers:
    """Count incidents. `service`: its full name, None for all; an incident about several services counts for each."""
    values = {"since": since, "until": until, "environment": environment, "service": service}
    return await fetch_row(conn, IncidentNumbers, "report_incidents", **values)


async def report_shifts(
    conn: Connection, *, since: datetime, until: datetime, environment: str, service: str | None, zone: str
) -> list[Shift]:
    """Count incidents per shift. `zone`: the time zone of the shifts, such as "Europe/Berlin"."""
    values = {"since": since, "until": until, "environment": environment, "service": service, "zone": zone}
    return await fetch_all(conn, Shift, "report_shifts", **values)


async def report_held_back(
    conn: Connection, *, since: datetime, until: datetime, service: str | None
) -> list[HeldBack]:
    """List the reasons why alerts were not announced, the most frequent first."""
    return await fetch_all(conn, HeldBack, "report_held_back", since=since, until=until, service=service)


async def report_rules(conn: Connection, *, since: datetime, until: datetime, service: str | None) -> list[RuleNumbers]:
    """List the rules with announced alerts, the most frequent rule first."""
    return await fetch_all(conn, RuleNumbers, "report_rules", since=since, until=until, service=service)


async def report_approvals(
    conn: Connection, *, since: datetime, until: datetime, environment: str, service: str | None
) -> ApprovalNumbers:
    values = {"since": since, "until": until, "environment": environment, "service": service}
    return await fetch_row(conn, ApprovalNumbers, "report_approvals", **values)


async def report_deployments(
    conn: Connection, *, since: datetime, until: datetime, environment: str, service: str | None
) -> DeploymentNumbers:
    values = {"since": since, "until": until, "environment": environment, "service": service}
    return await fetch_row(conn, DeploymentNumbers, "report_deployments", **values)


async def list_untimed_commits(conn: Connection, *, since: datetime, again_after: timedelta, limit: int) -> list[str]:
    """List full SHAs of deployed commits without a commit time, those deployed last first.

    `again_after`: for how long a commit that GitHub did not know is left out.
    """
    values = {"since": since, "again_after": again_after, "limit": limit}
    cursor = await conn.execute(SQL["list_untimed_commits"], values)
    return [sha for (sha,) in await cursor.fetchall()]


async def record_commit(conn: Connection, *, sha: str, committed_at: datetime | None) -> None:
    """Store the time of a commit. `committed_at`: None if the repository has no such commit."""
    await conn.execute(SQL["record_commit"], {"sha": sha, "committed_at": committed_at})
