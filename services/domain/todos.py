"""Follow-ups: what people promised to do after an incident; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MOST = 100  # of one incident, or open ones of all: more is no list that people work off


@dataclass(frozen=True)
class Todo:
    """`owner`, `by_user`, `done_by`: Slack user ids; owner None: no one yet. `due_at` None: at no set time."""

    id: int
    incident_id: int
    text: str
    owner: str | None
    due_at: datetime | None
    by_user: str
    created_at: datetime
    done_at: datetime | None = None
    done_by: str | None = None

    def is_late(self, now: datetime) -> bool:
        return self.done_at is None and self.due_at is not None and self.due_at <= now
