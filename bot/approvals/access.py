"""Permission checks against the policy, and the people who have a right; pure.

A deny wins, and what no rule allows is refused. A group whose members are unknown allows nothing, and its denies stay
in force.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from bot.config.policy import ANYBODY, Policy, Right, Rule, Severities, Target
from bot.people import FRESH, People
from bot.views.text import mention
from services.domain.errors import Unavailable
from services.domain.oncall import is_group
from services.domain.people import Person
from services.domain.services import DECLARED, Service
from services.domain.text import age


@dataclass(frozen=True)
class Allowed:
    """The person has the right. `rules`: the places of the rules that allow it. `notes`: which facts behind it may be
    out of date."""

    rules: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """The person lacks the right. `why`: a clause about "you". `what_next`: a sentence that names who has it. Both may
    hold Slack mentions."""

    why: str
    what_next: str

    @property
    def sentence(self) -> str:
        return f"{self.why[:1].upper()}{self.why[1:]}. {self.what_next}"


Verdict = Allowed | Refused


@dataclass(frozen=True)
class Able:
    """`users` certainly have a right. `unread`: groups in its rules, also in denies, whose members are unknown."""

    users: frozenset[str]
    unread: frozenset[str]


def judge(right: Right, person: Person, target: Target, policy: Policy, people: People) -> Verdict:
    """Judge whether the person has this right over every part of the target."""
    stranger = people.stranger(person)
    why = stranger or _why_not(right, person.user_id, target, policy, people)
    if why is not None:
        return Refused(why, who_could(right, target, policy, people, besides=frozenset({person.user_id})))
    rules = [_allowing(right, person.user_id, target, part, policy, people)[0] for part in target.parts]
    return Allowed(
        tuple(sorted({rule.place for rule in rules})), tuple(sorted(_age_notes(rules, person.user_id, people)))
    )


def judge_anywhere(right: Right, person: Person, target: Target, policy: Policy, people: People) -> Verdict:
    """Judge whether the person has this right over at least one part of what the playbook can change.

    Refused means that no plan of the playbook can pass `judge`; the refusal is about `target`.
    """
    anywhere = (replace(target, services=services) for services in _each_part())
    allowed = (judge(right, person, one, policy, people) for one in anywhere)
    found = next((one for one in allowed if isinstance(one, Allowed)), None)
    return found or judge(right, person, target, policy, people)


def who_could_anywhere(right: Right, target: Target, policy: Policy, people: People) -> tuple[str, ...]:
    """Ids of the groups and users who have the right over at least one part; groups come before users who are in none
    of them. Groups whose members are unknown are included."""
    found: dict[str, None] = {}
    for services in _each_part():
        part = replace(target, services=services)
        able_ones = able(right, part, policy, people)
        named = sorted(able_ones.unread & policy.named(right, part))
        found |= dict.fromkeys([*named, *_ids(able_ones.users, right, part, policy, people)])
    return tuple(sorted(found, key=lambda one: not is_group(one)))


def still_holds(right: Right, person: Person, target: Target, policy: Policy, people: People) -> bool:
    """True if a person who acted earlier, and was looked up then, still has the right."""
    return people.former(person) is None and _why_not(right, person.user_id, target, policy, people) is None


def able(right: Right, target: Target, policy: Policy, people: People) -> Able:
    """Return everyone who has the right, as far as the groups' members are known."""
    named = policy.named(right, target)
    ruled = named | policy.named(right, target, denies=True)
    unread = frozenset(one for one in ruled if is_group(one) and isinstance(people.members(one), Unavailable))
    users = [user for user in _users(named, people) if not people.is_barred(user)]
    return Able(frozenset(u for u in users if _why_not(right, u, target, policy, people) is None), unread)


def approver_ids(target: Target, policy: Policy) -> tuple[str, ...]:
    """Users and groups that the policy lets approve every part of the target; they are notified of a request."""
    parts = [policy.about(Right.APPROVE, target, part, denies=False) for part in target.parts]
    return tuple(sorted(frozenset.intersection(*(frozenset(one for r in rules for one in r.who) for rules in parts))))


def who_could(
    right: Right, target: Target, policy: Policy, people: People, *, besides: frozenset[str] = frozenset()
) -> str:
    """Return a sentence that names who has the right, leaving out the users in `besides`."""
    found = able(right, target, policy, people)
    names = _names(found.users - besides, right, target, policy, people)
    if names:
        return f"{_listed(names)} can {right.value} it."
    if found.unread:
        groups = _listed(map(mention, sorted(found.unread)))
        return f"Who can {right.value} it is unknown until Slack returns the members of {groups}."
    others = "No one else" if besides & found.users else "No one"
    if able(right, replace(target, parameters=None), policy, people).users:
        return f"{others} can {right.value} it with these arguments."
    elsewhere = replace(target, channel=None, at=None, incidents=None, any_moment=True)
    if able(right, elsewhere, policy, people).users:
        return f"{others} can {right.value} it here and now: the policy allows it in other places or at other times."
    return f"{others} can {right.value} `{target.playbook}` in {target.environment}: see `check-config`."


def _why_not(right: Right, user: str, target: Target, policy: Policy, people: People) -> str | None:
    for part in sorted(target.parts, key=str):
        about = _target_words(target, part)
        for rule in policy.about(right, target, part, denies=True):
            held = _applies_to(rule, user, people)
            if held is not False:
                doubt = "" if held is True else ", and it is unknown whether that includes you"
                when = f" under this condition: {rule.conditions}" if rule.conditions else ""
                return f"the policy ({rule.place}) does not allow you to {right.value} {about}{when}{doubt}"
        if not _allowing(right, user, target, part, policy, people):
            unknown = _unknown_members(right, target, policy, people)
            more = unknown or _unmet_conditions(right, user, target, part, policy, people)
            return f"you don't have permission to {right.value} {about}{more}"
    return None


def _allowing(
    right: Right, user: str, target: Target, part: Service | None, policy: Policy, people: People
) -> list[Rule]:
    rules = policy.about(right, target, part, denies=False)
    return [rule for rule in rules if _applies_to(rule, user, people) is True]


def _applies_to(rule: Rule, user: str, people: People) -> bool | None:
    """True if the rule is about this person; None if it names a group whose members are unknown."""
    if user in rule.who or (rule.denies and ANYBODY in rule.who):
        return True
    members = [people.members(one) for one in rule.who if is_group(one)]
    if any(not isinstance(known, Unavailable) and user in known.users for known in members):
        return True
    return None if any(isinstance(known, Unavailable) for known in members) else False


def _unknown_members(right: Right, target: Target, policy: Policy, people: People) -> str:
    """Name, in parentheses, a group of the rules whose members are unknown; empty if all are known."""
    for group in sorted(filter(is_group, policy.named(right, target))):
        known = people.members(group)
        if isinstance(known, Unavailable):
            return f" (the members of {mention(group)} are unknown: {known.why})"
    return ""


def _unmet_conditions(
    right: Right, user: str, target: Target, part: Service | None, policy: Policy, people: People
) -> str:
    """Name, in parentheses, the rules that allow it to this person only under conditions; empty if there are none."""
    anyhow = replace(target, any_moment=True, at=None, parameters=None, incidents=None)
    near = [rule for rule in _allowing(right, user, anyhow, part, policy, people) if rule.conditions]
    words = [f"{rule.place} allows it only: {rule.conditions}" for rule in near]
    if any(_is_unconfirmed(rule, target.incidents, part) for rule in near):
        words.append("such an incident counts once an alert or another person confirms it: ask one to acknowledge it")
    return f" ({'; '.join(words)})" if words else ""


def _is_unconfirmed(rule: Rule, incidents: Severities | Unavailable | None, part: Service | None) -> bool:
    """True if this person alone reports an incident as severe as the rule needs."""
    if rule.severities is None or not isinstance(incidents, Severities):
        return False
    return incidents.stated.get(part) in rule.severities and incidents.confirmed.get(part) not in rule.severities


def _age_notes(rules: Iterable[Rule], user: str, people: People) -> set[str]:
    """Notes about group members read longer ago than `FRESH`; none for a rule that names the person."""
    notes = set()
    for rule in rules:
        for group in () if user in rule.who else filter(is_group, rule.who):
            known = people.members(group)
            if not isinstance(known, Unavailable) and user in known.users and known.age >= FRESH:
                notes.add(f"Slack does not answer: members of {mention(group)} as of {age(known.age)} ago")
    return notes


def _users(named: Iterable[str], people: People) -> frozenset[str]:
    """The users that these ids of users and groups stand for, as far as they are known."""
    users: set[str] = set()
    for one in named:
        known = people.members(one) if is_group(one) else None
        if known is None:
            users.add(one)
        elif not isinstance(known, Unavailable):
            users |= known.users
    return frozenset(users)


def _each_part() -> list[frozenset[Service]]:
    return [frozenset[Service](), *(frozenset({service}) for service in DECLARED)]


def _names(users: frozenset[str], right: Right, target: Target, policy: Policy, people: People) -> list[str]:
    return [mention(one) for one in _ids(users, right, target, policy, people)]


def _ids(users: frozenset[str], right: Right, target: Target, policy: Policy, people: People) -> list[str]:
    """The groups whose members are all among `users`, then the users in none of these groups."""
    whole = {group: _users([group], people) for group in filter(is_group, policy.named(right, target))}
    fitting = {group: members for group, members in whole.items() if members and members <= users}
    rest = users - frozenset[str]().union(*fitting.values())
    return [*sorted(fitting), *sorted(rest)]


def _target_words(target: Target, part: Service | None) -> str:
    return f"`{target.playbook}` for {f'{part.short} in ' if part else ''}{target.environment}"


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def may_see_raw(person: Person, people: People, trusted: Collection[str]) -> Verdict:
    """Judge whether the person may see raw data. `trusted`: ids of users and groups. An empty list allows no one;
    unknown members allow nothing."""
    stranger = people.stranger(person)
    if stranger is not None:
        return Refused(stranger, "Ask a member of our workspace.")
    found = people.find_in(person.user_id, trusted)
    if found.is_in:
        return Allowed()
    named = " ".join(map(mention, sorted(trusted)))
    listed = f"Ask one of them: {named}." if named else "No one is: set DRAGONFLY_OPERATORS or DRAGONFLY_APPROVERS."
    return Refused(f"you are neither an operator nor an approver{found.doubt}", listed)
