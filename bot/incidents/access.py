"""Who may answer for an incident: whoever may ask for or approve changes, and whoever is on call; pure.

Raising the alarm is for everybody in our workspace; silencing it is not.
"""

from __future__ import annotations

from collections.abc import Collection

from bot.approvals.access import Allowed, Refused, Verdict
from bot.people import People
from bot.views.text import mention
from services.domain.runs import Person


def may_open(person: Person | None, people: People) -> Verdict:
    """Everybody of our workspace, guests too. None is somebody at a terminal, who may."""
    outsider = people.outsider(person) if person else None
    return Refused(outsider, "Ask a member of our workspace to open it.") if outsider else Allowed()


def may_respond(person: Person, people: People, responders: Collection[str]) -> Verdict:
    """`responders`: ids of users and groups; none at all means nobody."""
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
