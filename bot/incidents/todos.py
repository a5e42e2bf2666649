"""Follow-ups of an incident: stored and written into its timeline and thread in the caller's transaction."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from bot.incidents.store import IncidentStore
from bot.views.text import plain
from bot.views.todos import todo_message
from services.clients.postgres import todos
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import read_clock
from services.domain.incidents import Incident
from services.domain.people import Person
from services.domain.todos import Todo

TEXT_LIMIT = 500  # characters
OFFERED = 20  # incidents to choose from, the newest first


@dataclass(frozen=True)
class NewTodo:
    """A follow-up as typed. `owner`: a Slack user id, None for no one yet. `due_at`: None for no set time."""

    text: str
    owner: str | None = None
    due_at: datetime | None = None


def new_marker() -> str:
    """Make the marker by which an issue is found again; no one can guess it."""
    return f"dragonfly-follow-up:{secrets.token_hex(16)}"


async def add(
    incident_store: IncidentStore,
    conn: Connection,
    incident: Incident,
    person: Person,
    new: NewTodo,
    issue_marker: str | None = None,
) -> Todo:
    """Add a follow-up, also after the resolution, when most are found. `issue_marker`: of its GitHub issue, if any."""
    text = plain(new.text, limit=TEXT_LIMIT)
    made = await todos.add_todo(
        conn,
        incident_id=incident.id,
        text=text,
        owner=new.owner,
        due_at=new.due_at,
        by_user=person.user_id,
        issue_marker=issue_marker,
    )
    await incident_store.record(conn, incident, "todo", f"added a follow-up: {text}", by=person, in_thread=False)
    await _show(incident_store, conn, incident, made)
    return made


async def finish(
    incident_store: IncidentStore, conn: Connection, incident: Incident, person: Person, todo: Todo
) -> Todo | None:
    """Mark a follow-up as done; return it as it is now, None if it was done before."""
    done = await todos.finish_todo(conn, todo_id=todo.id, done_by=person.user_id)
    if done is not None:
        await incident_store.record(
            conn, incident, "todo", f"finished a follow-up: {done.text}", by=person, in_thread=False
        )
        await _show(incident_store, conn, incident, done)
    return done


async def _show(incident_store: IncidentStore, conn: Connection, incident: Incident, todo: Todo) -> None:
    content = todo_message(todo, await read_clock(conn))
    await incident_store.post(conn, incident, f"{incident.message_key}:todo:{todo.id}", content)
