"""Who may see a masked line whole: operators and approvers; pure."""

from __future__ import annotations

from collections.abc import Collection

from bot.approvals.people import People
from bot.approvals.rights import Allowed, Refused, Verdict
from bot.views.mentions import mention
from services.domain.runs import Person


def may_see_raw(person: Person, people: People, trusted: Collection[str]) -> Verdict:
    """`trusted`: ids of users and groups. None at all means nobody; members that are not known allow nothing."""
    stranger = people.stranger(person)
    if stranger is not None:
        return Refused(stranger, "Ask somebody of ours.")
    found = people.find_in(person.user_id, trusted)
    if found.is_in:
        return Allowed()
    named = " ".join(map(mention, sorted(trusted)))
    whom = f"These are: {named}." if named else "Nobody is: set DRAGONFLY_OPERATORS or DRAGONFLY_APPROVERS."
    return Refused(f"you are neither an operator nor an approver{found.doubt}", whom)
