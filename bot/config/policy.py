"""The approval policy as rules: the permissions to request and to approve; pure."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.changes import CHANGES
from services.domain.errors import Unavailable
from services.domain.incidents import IncidentSeverity
from services.domain.oncall import is_group
from services.domain.windows import Recurrence

if TYPE_CHECKING:
    from playbooks.plan import Plan
    from services.domain.services import Service

ANYBODY = "*"  # in a deny only

SILENCE = "silence"  # changes no system, but needs permission: during a silence people are not notified
DRILL = "drill"  # the same: a drill really pages people
ASK = "ask"  # the same: a model costs money; answers by rules are open to everyone, as all reads are
FREEZE = "freeze"  # the same: a freeze refuses changes, and lifting another person's freeze permits them
READ = "read"  # a read by a machine; people need no rule for it
MACHINE = "machine"  # "machine:ci" in `who`: the holder of the token of that name
DIRECT = "direct"  # in a rule's channels: direct messages with the bot
VERBS = frozenset({*CHANGES, SILENCE, DRILL, ASK, FREEZE, READ})  # the verbs that a policy file may name


@dataclass(frozen=True)
class Severities:
    """The severity of the most severe open incident per service that has one; under None, of all incidents.

    `confirmed`: without incidents that only the requester reported. An allow has to fit both, so that no person grants
    themselves a permission; a deny applies if it fits one, so that no person removes it.
    """

    stated: Mapping[Service | None, IncidentSeverity]
    confirmed: Mapping[Service | None, IncidentSeverity]

    def fits(self, severities: frozenset[IncidentSeverity], part: Service | None, *, denies: bool) -> bool:
        found = [one.get(part) in severities for one in (self.stated, self.confirmed)]
        return any(found) if denies else all(found)


class Right(StrEnum):
    """The permission that a rule grants or denies."""

    REQUEST = "request"
    APPROVE = "approve"


@dataclass(frozen=True)
class Target:
    """The change that a request is about: the playbook, the services that it touches (none, if it only changes jobs,
    say), and the environment.

    `channel`: the id of the conversation. `at`: the moment. `parameters`: of the change, which rules may limit; None
    while they are not known. `incidents`: None if they were not read, Unavailable if they can't be read. `any_moment`:
    channel, hours and severity count as met if they are not given, because the request was judged when it was made, or
    is not made yet. Otherwise an unknown value counts against the request.
    """

    playbook: str
    services: frozenset[Service]
    environment: str
    channel: str | None = None
    at: datetime | None = None
    parameters: Mapping[str, str] | None = None
    any_moment: bool = False
    incidents: Severities | Unavailable | None = None

    @classmethod
    def of(
        cls,
        plan: Plan,
        *,
        channel: str | None = None,
        at: datetime | None = None,
    ) -> Target:
        return cls(plan.playbook, plan.services, plan.environment, channel, at, plan.parameters)

    @property
    def parts(self) -> frozenset[Service | None]:
        """The services that need permission one by one. A change that touches no service is one part, None."""
        return frozenset(self.services) or frozenset({None})


@dataclass(frozen=True)
class Limit:
    """A limit of a numeric argument: "replicas <= 3"."""

    name: str
    comparison: str
    number: int

    @property
    def words(self) -> str:
        return f"{self.name} {self.comparison} {self.number}"

    def fits(self, parameters: Mapping[str, str]) -> bool:
        """True if the argument is within the limit; False if it is not a number."""
        value = parameters.get(ARGUMENTS[self.name], "")
        return value.isdigit() and COMPARISONS[self.comparison](int(value), self.number)


ARGUMENTS = {"replicas": "to"}  # an argument's name in rules: its parameter
EMERGENCIES = frozenset({"restart", "rollback", "rollback-db", "stop-workers"})  # they stop or recover a service
LIMITED = frozenset({"scale"})  # the verbs with these arguments
COMPARISONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


@dataclass(frozen=True)
class Rule:
    """One `allow` or `deny`. A set that is None matches everything. `place`: its place in the file ("line 12")."""

    denies: bool
    right: Right
    who: frozenset[str]
    verbs: frozenset[str] | None = None
    services: frozenset[Service] | None = None
    environments: frozenset[str] | None = None
    place: str = ""
    channels: frozenset[str] | None = None
    arguments: tuple[Limit, ...] | None = None
    hours: tuple[Recurrence, ...] | None = None
    severities: frozenset[IncidentSeverity] | None = None

    def concerns(self, right: Right, target: Target, part: Service | None) -> bool:
        """True if the rule applies to this part of the target, for any requester."""
        return (
            self.right is right
            and self.is_about(target.playbook, target.environment)
            and (self.services is None or part in self.services)
            and self._is_in_channel(target)
            and self._is_in_hours(target)
            and self._is_in_severity(target, part)
            and self._fits_arguments(target)
        )

    def is_about(self, verb: str, environment: str) -> bool:
        """True if the rule can apply to the verb in this environment, under some conditions."""
        return self._is_about(verb) and (self.environments is None or environment in self.environments)

    def is_about_same(self, other: Rule) -> bool:
        """True if the rules differ only in their place and their people."""
        return replace(self, who=frozenset(), place="") == replace(other, who=frozenset(), place="")

    @property
    def conditions(self) -> str:
        """The rule's conditions besides verb, service and environment, or "": "replicas <= 3, mon-fri 09:00-17:00"."""
        limits = [limit.words for limit in self.arguments or ()]
        hours = [" or ".join(window.words for window in self.hours)] if self.hours else []
        channels = [f"in {' or '.join(sorted(self.channels))}"] if self.channels else []
        levels = [one.upper() for one in sorted(self.severities or ())]
        severity = [f"in an open {' or '.join(levels)}"] if levels else []
        return ", ".join([*limits, *hours, *channels, *severity])

    def _is_about(self, verb: str) -> bool:
        """True if the rule covers the verb. A deny for some hours, channels or severities must name an emergency to
        cover it, because it is meant for changes that can wait."""
        if self.verbs is not None:
            return verb in self.verbs
        is_narrow = any(one is not None for one in (self.hours, self.channels, self.severities))
        return not (self.denies and is_narrow and verb in EMERGENCIES)

    def _is_in_channel(self, target: Target) -> bool:
        if self.channels is None or target.any_moment:
            return self.channels is None or not self.denies
        return _kind_of(target.channel) in self.channels

    def _is_in_hours(self, target: Target) -> bool:
        if self.hours is None:
            return True
        if target.at is None:
            return self.denies is not target.any_moment
        return any(window.contains(target.at) for window in self.hours)

    def _is_in_severity(self, target: Target, part: Service | None) -> bool:
        if self.severities is None:
            return True
        if target.incidents is None:
            return self.denies is not target.any_moment
        if isinstance(target.incidents, Unavailable):
            return self.denies
        return target.incidents.fits(self.severities, part, denies=self.denies)

    def _fits_arguments(self, target: Target) -> bool:
        """True if the arguments are within the limits. Unknown ones fit an allow and no deny: the plan is judged with
        the real ones."""
        if self.arguments is None or target.parameters is None:
            return self.arguments is None or not self.denies
        return all(limit.fits(target.parameters) for limit in self.arguments)


def _kind_of(channel: str | None) -> str | None:
    return DIRECT if channel is not None and channel.startswith("D") else channel


@dataclass(frozen=True)
class Policy:
    """All rules. `hash` is the file's SHA-256, 64 hexadecimal characters."""

    rules: tuple[Rule, ...]
    expires_after: timedelta
    hash: str

    def about(self, right: Right, target: Target, part: Service | None, *, denies: bool) -> tuple[Rule, ...]:
        """The rules, denies or allows, that apply to this part of the target."""
        return tuple(rule for rule in self.rules if rule.denies is denies and rule.concerns(right, target, part))

    def named(self, right: Right, target: Target, *, denies: bool = False) -> frozenset[str]:
        """The ids in all rules, denies or allows, that apply to some part of the target."""
        rules = (rule for part in target.parts for rule in self.about(right, target, part, denies=denies))
        return frozenset(one for rule in rules for one in rule.who)

    @property
    def rules_without_places(self) -> tuple[Rule, ...]:
        """The rules as they are compared with those of another file."""
        return tuple(replace(rule, place="") for rule in self.rules)

    @property
    def slack_ids(self) -> frozenset[str]:
        """The Slack ids of all people and groups that some rule names."""
        named = {one for rule in self.rules for one in rule.who}
        return frozenset(one for one in named if one != ANYBODY and not one.startswith(f"{MACHINE}:"))

    def asks_severity(self, verb: str, environment: str) -> bool:
        """True if some rule about the verb depends on the open incidents."""
        return any(rule.severities is not None and rule.is_about(verb, environment) for rule in self.rules)

    @property
    def groups(self) -> frozenset[str]:
        """The user groups that some rule names."""
        return frozenset(one for rule in self.rules for one in rule.who if is_group(one))
