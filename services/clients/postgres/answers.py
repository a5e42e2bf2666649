"""One-time links of pages, and events of pagers. Typed calls of `sql/queries/answers.sql`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_one, fetch_row
from services.domain.answers import PageLink, PagerEvent, PagerHistory, page_of_key
from services.domain.channels import Channel


async def find_page_link(conn: Connection, *, token: str) -> PageLink | None:
    """Return the page that the token's link belongs to; None if no page has this token."""
    return await fetch_one(conn, _to_link, "find_page_link", token=token)


async def use_page_link(conn: Connection, *, token: str) -> bool:
    """Mark the link as used. True if this was its first use."""
    return await (await conn.execute(SQL["use_page_link"], {"token": token})).fetchone() is not None


async def find_incident_of_pager_alert(conn: Connection, *, alert_key: str) -> int | None:
    """Return the id of the incident of a pager's alert; None if the alert is not about one of our incidents.

    `alert_key` is the stored key, without the prefix that pagers get.
    """
    row = await (await conn.execute(SQL["find_incident_of_pager_alert"], {"alert_key": alert_key})).fetchone()
    kind, _, number = str(row[0]).partition(":") if row else ("", "", "")
    return int(number) if kind == "incident" and number.isdecimal() else None


async def read_pager_history(conn: Connection, *, incident_id: int) -> PagerHistory:
    return await fetch_row(conn, PagerHistory, "read_pager_history", incident_id=incident_id)


async def has_pager_event(conn: Connection, *, event_id: str) -> bool:
    """True if this event was received before."""
    row = await (await conn.execute(SQL["has_pager_event"], {"event_id": event_id})).fetchone()
    return row is not None and bool(row[0])


async def record_pager_event(
    conn: Connection, event: PagerEvent, *, incident_id: int, owner: str | None = None, ignored: str | None = None
) -> None:
    """Record a pager's event. `owner`: the user id that it assigned. `ignored`: why it changed nothing."""
    parameters = {
        "event_id": event.id,
        "incident_id": incident_id,
        "action": event.action.value,
        "occurred_at": event.at,
        "owner": owner,
        "ignored": ignored,
    }
    await conn.execute(SQL["record_pager_event"], parameters)


async def prune_pager_events(conn: Connection, *, older_than: timedelta) -> int:
    """Delete old events and return how many."""
    return (await conn.execute(SQL["prune_pager_events"], {"older_than": older_than})).rowcount


def _to_link(*, key: str, means: str, **columns: Any) -> PageLink:
    number = page_of_key(key)
    assert number is not None  # noqa: S101 - only pages of incidents get a token
    return PageLink(*number, channel=Channel(means), **columns)
