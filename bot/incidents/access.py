"""Who may manage an incident: people who may request or approve changes, and people on call; pure.

Everyone in our workspace can open one, and a few in a row; closing it needs permission.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from bot.approvals.access import Allowed, Refused, Verdict
from bot.people import People
from bot.views.text import mention
from services.domain.people import Person


def may_open(person: Person | None, people: People) -> Verdict:
    """Everyone in our workspace, guests too. None is a person at a terminal, who may."""
    outsider = people.outsider(person) if person else None
    return Refused(outsider, "Ask a member of our workspace to open it.") if outsider else Allowed()


OPENED_AT_MOST, OPENED_WITHIN = 3, timedelta(minutes=10)  # each may page people, ahead of what is worse


def is_limited(person: Person, people: People, responders: Collection[str]) -> bool:
    """Whether the person is known not to manage incidents. While Slack does not return a group's members no other one
    is limited: it may be the person on call. `responders`: as for `may_respond`."""
    found = people.find_in(person.user_id, responders)
    return people.stranger(person) is not None or not (found.is_in or found.doubt)


def may_open_another(recent: Sequence[int], responders: Collection[str]) -> Verdict:
    """Of a person who may not manage incidents. `recent`: the ids of those that they opened within OPENED_WITHIN."""
    if len(recent) < OPENED_AT_MOST:
        return Allowed()
    minutes = int(OPENED_WITHIN.total_seconds() // 60)
    opened = ", ".join(map(str, recent))
    who = " ".join(map(mention, sorted(responders))) or "no one, see `check-config`"
    return Refused(
        f"you opened {len(recent)} incidents within {minutes} min ({opened}): no other one was opened, no one paged",
        f"Reply in the thread of one of them. Who can open another one now: {who}.",
    )


def may_respond(person: Person, people: People, responders: Collection[str]) -> Verdict:
    """`responders`: ids of users and groups; an empty set allows no one."""
    stranger = people.stranger(person)
    if stranger is not None:
        return Refused(stranger, "Ask a member of our workspace.")
    if not responders:
        return Refused(
            "there are no operators, no approvers and no on-call file, so no one may manage incidents",
            "Set DRAGONFLY_OPERATORS, DRAGONFLY_APPROVERS or DRAGONFLY_ONCALL: see `check-config`.",
        )
    found = people.find_in(person.user_id, responders)
    if found.is_in:
        return Allowed()
    named = " ".join(map(mention, sorted(responders)))
    return Refused(f"you are neither on call nor an operator or an approver{found.doubt}", f"These are: {named}.")
