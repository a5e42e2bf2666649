"""Finds changes that no one could request or get approved under a policy; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bot.approvals.access import able
from bot.approvals.rules import approvers_lacking
from bot.changes import CHANGES, Change
from bot.config.policy import EMERGENCIES, Policy, Right, Target
from bot.people import People
from playbooks.model import Risk
from services.domain.errors import Unavailable
from services.domain.moments import WEEKDAYS
from services.domain.people import Person
from services.domain.services import Service


def find_gaps(
    policy: Policy, people: People, environment: str, services: Sequence[Service], now: datetime
) -> dict[str, str | Unavailable | None]:
    """Return `{change: why no one can get it done}`; None if people can, Unavailable if that depends on Slack.

    Each change is tried for each service separately, at the highest risk that it can have; an emergency change also at
    each moment of the coming week at which hours of the policy begin or end.
    """
    return {
        name: _find_gap(change, policy, people, environment, services)
        or (_find_hours(change, policy, people, environment, services, now) if name in EMERGENCIES else None)
        for name, change in CHANGES.items()
    }


def _find_hours(
    change: Change, policy: Policy, people: People, environment: str, services: Sequence[Service], now: datetime
) -> str | None:
    """Say from which hour on no one can get the change done; None if people can at every hour."""
    windows = {window for rule in policy.rules for window in rule.hours or ()}
    for moment in sorted({now, *(edge for window in windows for edge in window.edges(now))} if windows else ()):
        why = _find_gap(change, policy, people, environment, services, at=moment)
        if isinstance(why, str):
            begins = moment.astimezone(UTC)
            return f"{why} at some hours, from {WEEKDAYS[begins.weekday()]} {begins:%H:%M} UTC"
    return None


def _find_gap(
    change: Change,
    policy: Policy,
    people: People,
    environment: str,
    services: Sequence[Service],
    *,
    at: datetime | None = None,
) -> str | Unavailable | None:
    touched = [frozenset({service}) for service in services] if change.takes_services else [frozenset[Service]()]
    targets = {services: Target(change.name, services, environment, at=at, any_moment=True) for services in touched}
    found = {services: _try(target, change.risk, policy, people) for services, target in targets.items()}
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
    return "no one can approve it" if persons else "no one can request it"
