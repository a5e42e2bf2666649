"""Follow-ups: tasks that people agreed to do after an incident; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MOST = 100  # of one incident, or open ones of all: people would not work through a longer list


@dataclass(frozen=True)
class Todo:
    """A follow-up of an incident. `owner`, `by_user`, `done_by`: Slack user ids; owner None: not assigned. `due_at`
    None: no due date. `issue_url`: of its GitHub issue, None without one."""

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
    """The GitHub issue to create for a follow-up.

    `sent_at`: from this time on the issue may exist; None if it can't, because no attempt was sent or GitHub refused
    it. `attempts`: their number so far. `title`: the incident's. `channel_id`, `ts`: of the incident's message, None
    while it is not posted.
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
