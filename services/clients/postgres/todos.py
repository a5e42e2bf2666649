"""Follow-ups of incidents. Typed calls of `sql/queries/todos.sql`. The caller owns the transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all, fetch_one, fetch_row
from services.domain.todos import Todo, WantedIssue


async def add_todo(
    conn: Connection,
    *,
    incident_id: int,
    text: str,
    owner: str | None,
    due_at: datetime | None,
    by_user: str,
    issue_marker: str | None = None,
) -> Todo:
    """Add a follow-up. `owner`, `by_user`: Slack user ids. `issue_marker`: of the wanted issue, None for none."""
    values = {"incident_id": incident_id, "text": text, "owner": owner, "due_at": due_at, "by_user": by_user}
    return await fetch_row(conn, Todo, "add_todo", **values, issue_marker=issue_marker)


async def read_todo(conn: Connection, *, todo_id: int) -> Todo | None:
    """The follow-up; None if there is none with this number."""
    return await fetch_one(conn, Todo, "read_todo", todo_id=todo_id)


async def list_open_todos(conn: Connection, *, limit: int, owner: str | None = None) -> list[Todo]:
    """List open follow-ups, the next due first, those without a date last. `owner`: a Slack user id, None for all."""
    return await fetch_all(conn, Todo, "list_open_todos", limit=limit, owner=owner)


async def list_todos_of_incident(conn: Connection, *, incident_id: int, limit: int) -> list[Todo]:
    """List the incident's follow-ups, done or not, in the order in which they were added."""
    return await fetch_all(conn, Todo, "list_todos_of_incident", incident_id=incident_id, limit=limit)


async def finish_todo(conn: Connection, *, todo_id: int, done_by: str) -> Todo | None:
    """Mark the follow-up as done and return it; None if it was done before, or does not exist."""
    return await fetch_one(conn, Todo, "finish_todo", todo_id=todo_id, done_by=done_by)


async def next_wanted_issue(conn: Connection) -> WantedIssue | None:
    """Return the issue that is due first, locked; None if none is due."""
    return await fetch_one(conn, WantedIssue, "next_wanted_issue")


async def want_issues(conn: Connection, *, limit: int) -> list[int]:
    """Request issues for open follow-ups without one, oldest first; return the follow-ups' numbers.

    None are requested while GitHub refuses those that wait.
    """
    rows = await (await conn.execute(SQL["want_issues"], {"limit": limit})).fetchall()
    return sorted(int(row[0]) for row in rows)


async def read_issues_refused_since(conn: Connection) -> datetime | None:
    """Since when GitHub refuses the token or the repository; None while no wanted issue is refused."""
    row = await (await conn.execute(SQL["read_issues_refused_since"])).fetchone()
    return row[0] if row else None


async def postpone_refused_issues(conn: Connection, *, todo_id: int, since: datetime, again_in: timedelta) -> list[int]:
    """Postpone this refused issue and all other wanted issues; return their follow-ups' numbers."""
    values = {"todo_id": todo_id, "since": since, "again_in": again_in}
    rows = await (await conn.execute(SQL["postpone_refused_issues"], values)).fetchall()
    return sorted(int(row[0]) for row in rows)


async def retry_refused_issues(conn: Connection) -> None:
    """Make the refused issues due at once."""
    await conn.execute(SQL["retry_refused_issues"])


async def resume_refused_issues(conn: Connection) -> None:
    """Make the refused issues due at once and clear the refusal: GitHub accepts them again."""
    await conn.execute(SQL["resume_refused_issues"])


async def begin_issue(conn: Connection, *, todo_id: int, again_in: timedelta) -> None:
    """Record that the issue is being created: from now on it may exist."""
    await conn.execute(SQL["begin_issue"], {"todo_id": todo_id, "again_in": again_in})


async def forget_issue_was_sent(conn: Connection, *, todo_id: int) -> None:
    """Record that the issue can't exist, because its creation was refused or never sent."""
    await conn.execute(SQL["forget_issue_was_sent"], {"todo_id": todo_id})


async def finish_issue(conn: Connection, *, todo_id: int, url: str | None, failed: str | None) -> Todo | None:
    """Store the issue's address (`url`) or the reason why there is none (`failed`). None if one is stored already."""
    return await fetch_one(conn, Todo, "finish_issue", todo_id=todo_id, url=url, failed=failed)
