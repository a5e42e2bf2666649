"""Follow-ups: what people promised to do after an incident; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MOST = 100  # of one incident, or open ones of all: more is no list that people work off


@dataclass(frozen=True)
class Todo:
    """`owner`, `by_user`, `done_by`: Slack user ids; owner None: no one yet. `due_at` None: at no set time.
    `issue_url`: of its GitHub issue, None without one."""

    id: int
    incident_id: int
    text: str
    owner: str | None
    due_at: datetime | None
    by_user: str
    created_at: datetime
    done_at: datetime | None = None
    done_by: str | None = None
    issue_url: str | None = None

    def is_late(self, now: datetime) -> bool:
        return self.done_at is None and self.due_at is not None and self.due_at <= now


@dataclass(frozen=True)
class WantedIssue:
    """The GitHub issue that a follow-up is to have.

    `sent_at`: from when on it may exist, None: it can't. `attempts`: so many were made. `title`: the incident's.
    `channel_id`, `ts`: of the incident's message, None while it is not posted.
    """

    todo_id: int
    incident_id: int
    text: str
    due_at: datetime | None
    marker: str
    sent_at: datetime | None
    attempts: int
    is_done: bool
    title: str
    channel_id: str | None
    ts: str | None
