"""Which changes nobody could have done, by the policy and the people there are; pure."""

from __future__ import annotations

from bot.approvals.decide import approvers_lacking
from bot.approvals.people import People
from bot.approvals.policy import RISKS, Policy, Right, Target
from bot.approvals.rights import able
from playbooks._contract import Risk
from services.domain.errors import Unavailable
from services.domain.runs import Person
from services.domain.services import Service

_TOUCH_NO_SERVICE = frozenset({"requeue"})


def find_gaps(policy: Policy, people: People, environment: str) -> dict[str, str | Unavailable | None]:
    """`{change: why nobody could have it done}`; None when somebody could, Unavailable when Slack would have to tell.

    Each change is tried for each service by itself, at the highest risk that it can have.
    """
    return {verb: _find_gap(verb, risk, policy, people, environment) for verb, risk in RISKS.items()}


def _find_gap(verb: str, risk: Risk, policy: Policy, people: People, environment: str) -> str | Unavailable | None:
    touched = [frozenset[Service]()] if verb in _TOUCH_NO_SERVICE else [frozenset({service}) for service in Service]
    found = {services: _try(Target(verb, services, environment), risk, policy, people) for services in touched}
    unknown = next((why for why in found.values() if isinstance(why, Unavailable)), None)
    lacking = [(services, why) for services, why in found.items() if isinstance(why, str)]
    if not lacking:
        return unknown
    names = ", ".join(service.short for services, _ in lacking for service in services)
    everywhere = len(lacking) == len(touched)
    return lacking[0][1] if everywhere else f"{lacking[0][1]} for {names}"


def _try(target: Target, risk: Risk, policy: Policy, people: People) -> str | Unavailable | None:
    asking = able(Right.REQUEST, target, policy, people)
    persons = [Person(user, people.workspace or "") for user in asking.users]
    if any(approvers_lacking(person, target, risk, policy, people) == 0 for person in persons):
        return None
    unread = asking.unread | able(Right.APPROVE, target, policy, people).unread
    if unread:
        groups = ", ".join(sorted(unread))
        return Unavailable("Slack", f"the members of {groups} are not known")
    return "nobody could approve it" if persons else "nobody could ask for it"
