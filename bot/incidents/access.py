"""Permission to open incidents: everyone in our workspace has it, and non-responders open only a few in a row; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from bot.approvals.access import Allowed, Refused, Verdict
from bot.people import People
from bot.views.text import mention
from services.domain.people import Person


def may_open(person: Person | None, people: People) -> Verdict:
    """Allow everyone in our workspace, guests too. None is a person at a terminal, who may."""
    outsider = people.outsider(person) if person else None
    return Refused(outsider, "Ask a member of our workspace to open it.") if outsider else Allowed()


OPENED_AT_MOST, OPENED_WITHIN = 3, timedelta(minutes=10)  # each may page people, and delay a worse one


def is_limited(person: Person, people: People, responders: Collection[str]) -> bool:
    """True if the person is known not to be a responder. `responders`: ids of users and groups.

    False for everyone else while Slack does not return a group's members: it may be the person on call.
    """
    found = people.find_in(person.user_id, responders)
    return people.stranger(person) is not None or not (found.is_in or found.doubt)


def may_open_another(recent: Sequence[int], responders: Collection[str]) -> Verdict:
    """Judge a non-responder. `recent`: the ids of the incidents that they opened within OPENED_WITHIN."""
    if len(recent) < OPENED_AT_MOST:
        return Allowed()
    minutes = int(OPENED_WITHIN.total_seconds() // 60)
    opened = ", ".join(map(str, recent))
    who = " ".join(map(mention, sorted(responders))) or "no one, see `check-config`"
    return Refused(
        f"you opened {len(recent)} incidents within {minutes} min ({opened}): no new one was opened, no one was paged",
        f"Reply in the thread of one of them. Who can open another one now: {who}.",
    )
