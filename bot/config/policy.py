"""The approval policy as rules: who may request and who may approve; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.changes import CHANGES
from services.domain.oncall import is_group

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


class Right(StrEnum):
    """What a rule is about."""

    REQUEST = "request"
    APPROVE = "approve"


@dataclass(frozen=True)
class Target:
    """What a request wants to change: the playbook, the services that it touches (none: the jobs, say), and where.

    `channel`: the id of the conversation, where rules may be about that (`ask`).
    """

    playbook: str
    services: frozenset[Service]
    environment: str
    channel: str | None = None

    @classmethod
    def of(cls, plan: Plan) -> Target:
        return cls(plan.playbook, plan.services, plan.environment)

    @property
    def parts(self) -> frozenset[Service | None]:
        """What has to be allowed one by one. A change that touches no service is one part, which no service names."""
        return frozenset(self.services) or frozenset({None})


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

    def concerns(self, right: Right, target: Target, part: Service | None) -> bool:
        """Whether the rule applies to this part of the target, for any requester."""
        return (
            self.right is right
            and (self.verbs is None or target.playbook in self.verbs)
            and (self.environments is None or target.environment in self.environments)
            and (self.services is None or part in self.services)
            and (self.channels is None or _kind_of(target.channel) in self.channels)
        )


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
    def groups(self) -> frozenset[str]:
        """The user groups that some rule names."""
        return frozenset(one for rule in self.rules for one in rule.who if is_group(one))
