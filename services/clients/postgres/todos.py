"""Follow-ups of incidents.

The typed calls of `sql/queries/todos.sql`. The caller owns the transaction.
"""

from __future__ import annotations

from datetime import datetime

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import fetch_all, fetch_one, fetch_row
from services.domain.todos import Todo


async def add_todo(
    conn: Connection, *, incident_id: int, text: str, owner: str | None, due_at: datetime | None, by_user: str
) -> Todo:
    """`owner`, `by_user`: Slack user ids."""
    return await fetch_row(
        conn, Todo, "add_todo", incident_id=incident_id, text=text, owner=owner, due_at=due_at, by_user=by_user
    )


async def read_todo(conn: Connection, *, todo_id: int) -> Todo | None:
    """None when there is none of this number."""
    return await fetch_one(conn, Todo, "read_todo", todo_id=todo_id)


async def list_open_todos(conn: Connection, *, limit: int, owner: str | None = None) -> list[Todo]:
    """The next to be due first, those without a time last. `owner`: a Slack user id; None: everyone's."""
    return await fetch_all(conn, Todo, "list_open_todos", limit=limit, owner=owner)


async def list_todos_of_incident(conn: Connection, *, incident_id: int, limit: int) -> list[Todo]:
    """Done or not, in the order in which they were added."""
    return await fetch_all(conn, Todo, "list_todos_of_incident", incident_id=incident_id, limit=limit)


async def finish_todo(conn: Connection, *, todo_id: int, done_by: str) -> Todo | None:
    """It as it is now; None when it was done before, or never was."""
    return await fetch_one(conn, Todo, "finish_todo", todo_id=todo_id, done_by=done_by)
