"""Bounds what one person can repeat that others are notified of: pages, changes of who is on call, follow-ups, drills.

Acknowledging, resolving, raising a severity and the emergency stop are never refused. A refusal is about one person;
another one can still act.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from bot.approvals.access import Refused
from services.clients.postgres.audit import count_acts
from services.clients.postgres.pool import Connection
from services.domain.errors import OperatorError
from services.domain.incidents import Incident
from services.domain.people import Person
from services.domain.text import counted

WITHIN = timedelta(minutes=10)
MOST: Mapping[str, int] = {  # by the audit event; of one incident where it has one
    "incident.opened": 10,
    "incident.escalated": 5,
    "incident.severity": 4,
    "incident.todo": 20,
    "incident.todo_done": 20,
    "oncall.override": 6,
    "oncall.swap_offered": 6,
    "oncall.noted": 10,
    "freeze.made": 10,
    "drill.started": 3,
}


async def refuse_repeat(
    conn: Connection, person: Person, event: str, incident: Incident | None = None
) -> Refused | None:
    """Return why this person may not do it once more now; None if they may. Call it in the transaction that does it."""
    most = MOST.get(event)
    if most is None:
        return None
    about = incident.id if incident else None
    done = await count_acts(conn, actor=person.user_id, event=event, incident_id=about, window=WITHIN)
    if done < most:
        return None
    minutes = int(WITHIN.total_seconds() // 60)
    return Refused(
        f"you did this {counted(done, 'time')} within {minutes} min, and each time it notifies other people",
        "Wait a few minutes, or ask another person to do it.",
    )


async def check_repeat(conn: Connection, person: Person, event: str, *, failed: str) -> None:
    """Raise OperatorError, with `failed` as its first words, if this person may not do it once more now."""
    refused = await refuse_repeat(conn, person, event)
    if refused is not None:
        raise OperatorError(failed, why=refused.why, what_next=refused.what_next)
