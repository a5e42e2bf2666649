"""Who somebody is, as far as Slack told: workspace, groups' members, bots; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from services.domain.errors import Unavailable
from services.domain.runs import Person
from services.domain.words import age

MAX_AGE = timedelta(hours=1)  # members older than this are not known any more
FRESH = timedelta(minutes=1)  # an age below it is not worth a word


@dataclass(frozen=True)
class Members:
    """Who is in a group, as read from Slack `age` ago."""

    users: frozenset[str]
    age: timedelta


@dataclass(frozen=True)
class People:
    """What is known at one moment. `workspace` is the team id that we are installed in, None until Slack told it.

    `groups` holds every group that the policy names. `bots`: user ids that are known not to be people.
    """

    workspace: str | None
    groups: Mapping[str, Members | Unavailable] = field(default_factory=dict)
    bots: frozenset[str] = frozenset()

    def members(self, group: str) -> Members | Unavailable:
        """Who is in the group, or why nobody knows."""
        known = self.groups.get(group) or Unavailable("Slack", "they were never read")
        if isinstance(known, Members) and known.age > MAX_AGE:
            return Unavailable("Slack", f"they were last read {age(known.age)} ago, and an hour is the limit")
        return known

    def stranger(self, person: Person) -> str | None:
        """Why this cannot be one of us; None when it can. A clause about "you"."""
        if self.workspace is None:
            return "Slack has not told yet which workspace is ours"
        if person.team_id != self.workspace:
            return "you belong to another workspace"
        if person.user_id in self.bots:
            return "a bot is not a person"
        return None
