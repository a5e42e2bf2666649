"""Who may manage an incident: people who may request or approve changes, and people on call; pure.

Everyone in our workspace can open one; closing it needs permission.
"""

from __future__ import annotations

from collections.abc import Collection

from bot.approvals.access import Allowed, Refused, Verdict
from bot.people import People
from bot.views.text import mention
from services.domain.people import Person


def may_open(person: Person | None, people: People) -> Verdict:
    """Everyone in our workspace, guests too. None is a person at a terminal, who may."""
    outsider = people.outsider(person) if person else None
    return Refused(outsider, "Ask a member of our workspace to open it.") if outsider else Allowed()


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
