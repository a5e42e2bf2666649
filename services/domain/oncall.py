"""Who is on call, and who is called when: words shared by the on-call file, its overrides and the incidents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from services.domain.errors import Unavailable
from services.domain.runs import Person

REMIND_AFTER = timedelta(minutes=30)  # an incident that somebody has, and in which nothing happens
UNACKNOWLEDGE_AFTER = timedelta(minutes=10)  # after the reminder
CALL_AGAIN_AFTER = timedelta(minutes=5)


class Reach(StrEnum):
    """How somebody is told. Only `webhook` and `email` leave Slack, which may be muted at night."""

    MENTION = "mention"
    DIRECT = "direct"
    WEBHOOK = "webhook"
    EMAIL = "email"

    @property
    def words(self) -> str:
        """As people say it: what rings is a pager, whatever form its webhook takes."""
        return {Reach.DIRECT: "direct message", Reach.WEBHOOK: "pager", Reach.EMAIL: "e-mail"}.get(self, self.value)

    @property
    def leaves_slack(self) -> bool:
        return self in (Reach.WEBHOOK, Reach.EMAIL)


@dataclass(frozen=True)
class OnCallPerson:
    """`slack`: a user id. `webhook`, `email`: names of targets in the bot's environment, never addresses."""

    name: str
    slack: str
    webhook: str | None = None
    email: str | None = None


@dataclass(frozen=True)
class Hours:
    """A part of each day, by the rotation's own clock: from `begins` until before `ends`, perhaps over midnight."""

    begins: time
    ends: time


@dataclass(frozen=True)
class Rotation:
    """`people` (names) take turns of `days` days; the first begins on `starts` at `handover` in `zone`.

    `until`: the day on whose `handover` it ends. `hours`: it is on duty in these only.
    """

    name: str
    people: tuple[str, ...]
    days: int
    starts: date
    handover: time
    zone: ZoneInfo
    until: date | None = None
    hours: Hours | None = None


@dataclass(frozen=True)
class Level:
    """Who is called at the same time, and how long the next level waits for an answer.

    `calls`: names of rotations and people, and ids of user groups. `webhook`, `email`: targets that are told whoever is
    on call. `accepts_slack_only`: it is meant to reach people in Slack only.
    """

    calls: tuple[str, ...]
    by: frozenset[Reach]
    wait: timedelta
    webhook: str | None = None
    email: str | None = None
    accepts_slack_only: bool = False

    @property
    def name(self) -> str:
        return ", ".join(self.calls) or "pager"


@dataclass(frozen=True)
class Schedule:
    """The on-call file as it is meant. Names of people and rotations are different ones."""

    people: Mapping[str, OnCallPerson]
    rotations: Mapping[str, Rotation]
    levels: tuple[Level, ...]
    remind_after: timedelta = REMIND_AFTER
    unacknowledge_after: timedelta = UNACKNOWLEDGE_AFTER

    @property
    def slack_ids(self) -> frozenset[str]:
        """Everybody whom it names, and the groups."""
        groups = {call for level in self.levels for call in level.calls if is_group(call)}
        return frozenset(person.slack for person in self.people.values()) | groups

    def person_of(self, slack_id: str) -> OnCallPerson:
        """Somebody by their Slack id; whoever the file does not name can be reached in Slack only."""
        known = (person for person in self.people.values() if person.slack == slack_id)
        return next(known, OnCallPerson(slack_id, slack_id))


@dataclass(frozen=True)
class Override:
    """`user_id` stands in for the rotation's own people, from `begins_at` until before `ends_at`. `by` arranged it.

    confirmed_at: when `user_id` said that they take it.
    """

    id: int
    rotation: str
    user_id: str
    begins_at: datetime
    ends_at: datetime
    by: Person
    created_at: datetime
    confirmed_at: datetime | None = None

    @property
    def message_key(self) -> str:
        """The outbox key of its message in the channel."""
        return f"oncall:override:{self.id}"

    def holds(self, at: datetime) -> bool:
        return self.begins_at <= at < self.ends_at


@dataclass(frozen=True)
class KnownOverrides:
    """`rows`: oldest first. `age`: how long ago they were read; `problem`: why not just now, None when they were."""

    rows: tuple[Override, ...] | Unavailable
    age: timedelta = timedelta()
    problem: Unavailable | None = None


@dataclass(frozen=True)
class Target:
    """One way to one person or group. `address`: a Slack id, or the name of a target in the bot's environment."""

    reach: Reach
    address: str
    who: str


def ways_words(targets: Iterable[Target]) -> str:
    """ "ben by direct message, pager; olivia by mention": each of them once, with every way."""
    ways: dict[str, list[str]] = {}
    for target in targets:
        ways.setdefault(target.who, []).append(target.reach.words)
    return "; ".join(f"{who} by {', '.join(by)}" for who, by in ways.items())


@dataclass(frozen=True)
class ChainLevel:
    """Who was on call at one level when the chain was made, and how long to wait for them. `skipped`: who is on call
    there and cannot be called, in plain words ("ann is deactivated in Slack")."""

    name: str
    targets: tuple[Target, ...]
    wait: timedelta
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chain:
    """Who is called in which order, as it was at one moment: it is frozen into the incident."""

    levels: tuple[ChainLevel, ...] = ()
    remind_after: timedelta = REMIND_AFTER
    unacknowledge_after: timedelta = UNACKNOWLEDGE_AFTER
    notes: tuple[str, ...] = field(default=())  # what is wrong with it, in plain words

    def level(self, number: int) -> ChainLevel | None:
        """The level to call, counted from 0 and starting again after the last; None when there is nobody at all."""
        return self.levels[number % len(self.levels)] if self.levels else None


def encode_chain(chain: Chain) -> dict[str, Any]:
    """JSON-able; `decode_chain` reads it."""
    return {
        "levels": [
            {
                "name": level.name,
                "wait_s": level.wait.total_seconds(),
                "targets": [[target.reach.value, target.address, target.who] for target in level.targets],
                "skipped": list(level.skipped),
            }
            for level in chain.levels
        ],
        "remind_after_s": chain.remind_after.total_seconds(),
        "unacknowledge_after_s": chain.unacknowledge_after.total_seconds(),
        "notes": list(chain.notes),
    }


def decode_chain(stored: Mapping[str, Any]) -> Chain:
    """What `encode_chain` wrote. What it lacks counts as nobody, with the usual times, so that it stops no other."""
    defaults = Chain()
    return Chain(
        levels=tuple(
            ChainLevel(
                level["name"],
                tuple(Target(Reach(reach), address, who) for reach, address, who in level["targets"]),
                timedelta(seconds=level["wait_s"]),
                tuple(level.get("skipped", ())),  # chains of former versions have none
            )
            for level in stored.get("levels", ())
        ),
        remind_after=_seconds(stored, "remind_after_s", defaults.remind_after),
        unacknowledge_after=_seconds(stored, "unacknowledge_after_s", defaults.unacknowledge_after),
        notes=tuple(stored.get("notes", ())),
    )


def _seconds(stored: Mapping[str, Any], name: str, default: timedelta) -> timedelta:
    return timedelta(seconds=stored[name]) if name in stored else default


def nobody_is_absent(slack_id: str) -> str | None:  # noqa: ARG001
    """Where Slack is not asked: nobody is known to be absent."""
    return None


def is_group(call: str) -> bool:
    """Whether a word of a level is a Slack user group's id."""
    return call.startswith("S") and call.isupper()
