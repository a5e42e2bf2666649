"""Responders: the operators, approvers and people on call, who may manage incidents and the on-call schedule; pure."""

from __future__ import annotations

from collections.abc import Collection

from bot.approvals.access import Allowed, Refused, Verdict
from bot.people import People
from bot.views.text import mention
from services.domain.people import Person


def may_respond(person: Person, people: People, responders: Collection[str]) -> Verdict:
    """Judge if a person may manage incidents. `responders`: ids of users and groups; an empty set allows no one."""
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
    return Refused(f"you're not on call, and you're no operator or approver{found.doubt}", f"Ask one of them: {named}.")
