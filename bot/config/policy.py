"""The approval policy as rules: who may request and who may approve; pure."""

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

SILENCE = "silence"  # changes no system, but needs permission: a silence keeps people from being notified
DRILL = "drill"  # nor this: people are really called
ASK = "ask"  # nor this: a model costs money; the answer by rules is open to everyone, as every read is
FREEZE = "freeze"  # nor this: it holds changes back, and lifting another person's lets them go
READ = "read"  # a read by a machine; people need no rule for it
MACHINE = "machine"  # "machine:ci" in `who`: the holder of the token of that name
DIRECT = "direct"  # in a rule's channels: direct messages with the bot
VERBS = frozenset({*CHANGES, SILENCE, DRILL, ASK, FREEZE, READ})  # what a policy file may name


@dataclass(frozen=True)
class Severities:
    """Of the most severe open incident of each service that has one; under None, of them all.

    `confirmed`: without what only the requester reports. An allow has to fit both, so no one gives themselves a right;
    a deny holds if it fits one, so no one frees themselves from it.
    """

    stated: Mapping[Service | None, IncidentSeverity]
    confirmed: Mapping[Service | None, IncidentSeverity]

    def fits(self, severities: frozenset[IncidentSeverity], part: Service | None, *, denies: bool) -> bool:
        found = [one.get(part) in severities for one in (self.stated, self.confirmed)]
        return any(found) if denies else all(found)


class Right(StrEnum):
    """What a rule is about."""

    REQUEST = "request"
    APPROVE = "approve"


@dataclass(frozen=True)
class Target:
    """What a request wants to change: the playbook, the services that it touches (none: the jobs, say), and where.

    `channel`: the id of the conversation. `at`: the moment. `parameters`: of the change, by which rules limit it; None
    while they are not known. `incidents`: None where no one asked for them, Unavailable where they can't be read.
    `any_moment`: channel, hours and severity count as met where they are not given, because the request was judged when
    it was made, or is not made yet. Otherwise what is not known counts against the request.
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
        """What has to be allowed one by one. A change that touches no service is one part, which no service names."""
        return frozenset(self.services) or frozenset({None})


@dataclass(frozen=True)
class Limit:
    """A limit of an argument that is a number: "replicas <= 3"."""

    name: str
    comparison: str
    number: int

    @property
    def words(self) -> str:
        return f"{self.name} {self.comparison} {self.number}"

    def fits(self, parameters: Mapping[str, str]) -> bool:
        """What is no number fits no limit."""
        value = parameters.get(ARGUMENTS[self.name], "")
        return value.isdigit() and COMPARISONS[self.comparison](int(value), self.number)


ARGUMENTS = {"replicas": "to"}  # as rules call them: the parameter that holds them
EMERGENCIES = frozenset({"restart", "rollback", "rollback-db", "stop-workers"})  # what stops or brings back a service
LIMITED = frozenset({"scale"})  # the verbs that have such arguments
COMPARISONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


@dataclass(frozen=True)
class Rule:
    """One `allow` or `deny`. A set that is None is about everything. `place` is where the file has it ("line 12")."""

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
        """Whether the rule applies to this part of the target, for any requester."""
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
        """Whether the rule can apply to the verb there, under some conditions."""
        return self._is_about(verb) and (self.environments is None or environment in self.environments)

    def is_about_same(self, other: Rule) -> bool:
        """Whether the rules differ in their place and in whom they name only."""
        return replace(self, who=frozenset(), place="") == replace(other, who=frozenset(), place="")

    @property
    def conditions(self) -> str:
        """ "replicas <= 3, mon-fri 09:00-17:00": what it asks besides verb, service and environment; or nothing."""
        limits = [limit.words for limit in self.arguments or ()]
        hours = [" or ".join(window.words for window in self.hours)] if self.hours else []
        channels = [f"in {' or '.join(sorted(self.channels))}"] if self.channels else []
        levels = [one.upper() for one in sorted(self.severities or ())]
        severity = [f"in an open {' or '.join(levels)}"] if levels else []
        return ", ".join([*limits, *hours, *channels, *severity])

    def _is_about(self, verb: str) -> bool:
        """A deny for some hours, channels or severities is meant for what can wait: it has to name an emergency."""
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
        """While the arguments are not known, an allow may fit and a deny may not: the plan is judged with them."""
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
        """The rules of one effect about this part of the target."""
        return tuple(rule for rule in self.rules if rule.denies is denies and rule.concerns(right, target, part))

    def named(self, right: Right, target: Target, *, denies: bool = False) -> frozenset[str]:
        """The ids in all rules of one effect about some part of the target."""
        rules = (rule for part in target.parts for rule in self.about(right, target, part, denies=denies))
        return frozenset(one for rule in rules for one in rule.who)

    @property
    def rules_without_places(self) -> tuple[Rule, ...]:
        """As they are compared with those of another file."""
        return tuple(replace(rule, place="") for rule in self.rules)

    @property
    def slack_ids(self) -> frozenset[str]:
        """All people and groups that some rule names."""
        named = {one for rule in self.rules for one in rule.who}
        return frozenset(one for one in named if one != ANYBODY and not one.startswith(f"{MACHINE}:"))

    def asks_severity(self, verb: str, environment: str) -> bool:
        """Whether some rule about the verb needs to know the open incidents."""
        return any(rule.severities is not None and rule.is_about(verb, environment) for rule in self.rules)

    @property
    def groups(self) -> frozenset[str]:
        """The user groups that some rule names."""
        return frozenset(one for rule in self.rules for one in rule.who if is_group(one))
