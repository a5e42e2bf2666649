"""The on-call schedule: levels, overrides, and who is on call at a given time; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from services.domain.channels import Channel
from services.domain.escalation_chain import REMIND_AFTER, UNACKNOWLEDGE_AFTER, Chain, ChainLevel, Target
from services.domain.people import Person
from services.domain.rotations import AnyRotation, CalendarRotation, edges, shift_of
from services.domain.text import age

PAGE_AGAIN_AFTER = timedelta(minutes=5)


@dataclass(frozen=True)
class OnCallPerson:
    """A person of the on-call file. `slack`: a user id. `webhook`, `email`: names of targets in the bot's environment,
    never addresses.

    `phone`: a number for people to call if nothing else reached this person.
    """

    name: str
    slack: str
    webhook: str | None = None
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True)
class Level:
    """The people who are paged at the same time, and how long the next level waits for their answer.

    `calls`: names of rotations and people, and ids of user groups. `webhook`, `email`: targets that are paged in
    addition to the people on call. `accepts_slack_only`: True if the file allows that it reaches people in Slack only.
    """

    calls: tuple[str, ...]
    by: frozenset[Channel]
    wait: timedelta
    webhook: str | None = None
    email: str | None = None
    accepts_slack_only: bool = False

    @property
    def name(self) -> str:
        return ", ".join(self.calls) or "pager"


@dataclass(frozen=True)
class Schedule:
    """The parsed on-call file. No rotation has the name of a person.

    user_groups: `{Slack user group: the rotation that it follows}`.
    """

    people: Mapping[str, OnCallPerson]
    rotations: Mapping[str, AnyRotation]
    levels: tuple[Level, ...]
    remind_after: timedelta = REMIND_AFTER
    unacknowledge_after: timedelta = UNACKNOWLEDGE_AFTER
    user_groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_calendars(self) -> bool:
        """True if a rotation takes its shifts from a calendar."""
        return any(isinstance(one, CalendarRotation) for one in self.rotations.values())

    @property
    def slack_ids(self) -> frozenset[str]:
        """The Slack ids of all people and user groups in it."""
        groups = {call for level in self.levels for call in level.calls if is_group(call)}
        return frozenset(person.slack for person in self.people.values()) | groups

    def person_of(self, slack_id: str) -> OnCallPerson:
        """The person with this Slack id; a person who isn't in the file can be reached in Slack only."""
        known = (person for person in self.people.values() if person.slack == slack_id)
        return next(known, OnCallPerson(slack_id, slack_id))

    def phones_behind(self, channel: Channel, target: str) -> tuple[str, ...]:
        """The phone numbers of the people whom this target pages."""
        people = self.people.values()
        behind = [one for one in people if target == (one.webhook if channel is Channel.WEBHOOK else one.email)]
        return tuple(one.phone for one in behind if one.phone)


@dataclass(frozen=True)
class Override:
    """A substitution: `user_id` is on call in place of the rotation's own people, from `begins_at` until before
    `ends_at`. `by` arranged it.

    confirmed_at: when `user_id` confirmed; None if they haven't.
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


NOT_KNOWN = "is not known to Slack"  # why a Slack id reaches no one: it is mistyped, or belongs to another workspace


def nobody_is_absent(slack_id: str) -> str | None:  # noqa: ARG001
    """Without Slack, no person is known to be absent."""
    return None


def is_group(call: str) -> bool:
    """True if a word of a level is a Slack user group's id."""
    return call.startswith("S") and call.isupper()


Absent = Callable[[str], str | None]  # why a Slack id reaches no one ("is deactivated in Slack"), else None


@dataclass(frozen=True)
class Gap:
    """A time, from `begins` until `ends`, in which no one is on call at the level with this index (from 0)."""

    level: int
    begins: datetime
    ends: datetime


def on_call(schedule: Schedule, level: Level, at: datetime, overrides: Sequence[Override]) -> list[OnCallPerson]:
    """The people on call at a level, each once. The newest override of a rotation replaces its people; groups are left
    out.

    `overrides`: oldest first, as stored.
    """
    found = (_person(schedule, call, at, overrides) for call in level.calls if not is_group(call))
    return list({person.slack: person for person in found if person is not None}.values())


def targets(
    schedule: Schedule,
    level: Level,
    at: datetime,
    overrides: Sequence[Override],
    absent: Absent = nobody_is_absent,
) -> Iterator[Target]:
    """The targets of a level: each present person's, in the order of `Channel`, then its groups and its own targets."""
    present = (person for person in on_call(schedule, level, at, overrides) if absent(person.slack) is None)
    for person in present:
        ways = {
            Channel.MENTION: person.slack,
            Channel.DIRECT: person.slack,
            Channel.WEBHOOK: person.webhook,
            Channel.EMAIL: person.email,
        }
        for channel, address in ways.items():
            if channel in level.by and address:
                yield Target(channel, address, person.name)
    for group in filter(is_group, level.calls):
        if absent(group) is None:
            yield Target(Channel.MENTION, group, group)
    for channel, address in ((Channel.WEBHOOK, level.webhook), (Channel.EMAIL, level.email)):
        if address:
            yield Target(channel, address, address)


def holder(schedule: Schedule, rotation: str, at: datetime, overrides: Sequence[Override]) -> OnCallPerson | None:
    """The person on call for this rotation, overrides included; None if no one is, or there is no such rotation."""
    return _person(schedule, rotation, at, overrides) if rotation in schedule.rotations else None


def levels_without_a_phone(
    schedule: Schedule, at: datetime, overrides: Sequence[Override], standing_in: Override
) -> list[int]:
    """The numbers, from 1, of the levels that this override would leave without a target outside Slack, except those
    where the file accepts that."""
    with_it = [*overrides, standing_in]
    return [
        number
        for number, level in enumerate(schedule.levels, start=1)
        if standing_in.rotation in level.calls
        and not level.accepts_slack_only
        and not any(target.channel.leaves_slack for target in targets(schedule, level, at, with_it))
    ]


@dataclass(frozen=True)
class Repeated:
    """The levels from `first` to `last` page the same single person, so no one else is paged for `lasting`."""

    first: int
    last: int
    person: OnCallPerson
    lasting: timedelta

    @property
    def words(self) -> str:
        """ "levels 1 and 2 both page ann: no one else is paged for 10 min"."""
        both = self.last == self.first + 1
        which = f"{self.first} and {self.last} both" if both else f"{self.first} to {self.last} all"
        return f"levels {which} page {self.person.name}: no one else is paged for {age(self.lasting)}"


def repeated_levels(schedule: Schedule, at: datetime, overrides: Sequence[Override]) -> list[Repeated]:
    """Find consecutive levels with the same single person on call; a group or a target counts as another person."""
    found: list[Repeated] = []
    alone = [_only_person(schedule, level, at, overrides) for level in schedule.levels]
    for number, (before, person) in enumerate(pairwise(alone), start=2):
        if person is None or before is None or person.slack != before.slack:
            continue
        first = found.pop().first if found and found[-1].last == number - 1 else number - 1
        waits = (level.wait for level in schedule.levels[first - 1 : number])
        found.append(Repeated(first, number, person, sum(waits, timedelta())))
    return found


def _only_person(schedule: Schedule, level: Level, at: datetime, overrides: Sequence[Override]) -> OnCallPerson | None:
    if level.webhook or level.email or any(map(is_group, level.calls)):
        return None
    people = on_call(schedule, level, at, overrides)
    return people[0] if len(people) == 1 else None


def gaps(schedule: Schedule, begins: datetime, ends: datetime, overrides: Sequence[Override]) -> list[Gap]:
    """The times between the two moments at which a level has no one on call."""
    changes = (moments_of_change(schedule, name, begins, ends, overrides) for name in schedule.rotations)
    moments = sorted({begins, ends}.union(*changes))
    found: list[Gap] = []
    for index, level in enumerate(schedule.levels):
        if level.webhook or level.email or any(map(is_group, level.calls)):
            continue
        for start, end in pairwise(moments):
            if on_call(schedule, level, start, overrides):
                continue
            if found and (found[-1].level, found[-1].ends) == (index, start):
                found[-1] = Gap(index, found[-1].begins, end)
            else:
                found.append(Gap(index, start, end))
    return found


def skipped(
    schedule: Schedule,
    level: Level,
    at: datetime,
    overrides: Sequence[Override],
    absent: Absent,
    name_of: Callable[[str], str] = str,
) -> Iterator[str]:
    """The people and groups of this level that can't be paged, each with the reason: "ann is deactivated in Slack"."""
    people = {person.slack: person.name for person in on_call(schedule, level, at, overrides)}
    for slack_id, name in (people | {group: group for group in filter(is_group, level.calls)}).items():
        why = absent(slack_id)
        if why is not None:
            yield f"{name_of(slack_id) if name == slack_id else name} {why}"


def make_chain(
    schedule: Schedule,
    at: datetime,
    overrides: Sequence[Override],
    name_of: Callable[[str], str] = str,
    absent: Absent = nobody_is_absent,
) -> Chain:
    """The escalation chain as it is at this moment. A level that reaches no one is left out, with a note.

    `name_of` gives the name of a person or group of whom only the Slack id is known. `absent`: why a Slack id reaches
    no one; such people are skipped, on the phone too, and the level reports it.
    """
    levels, notes = [], []
    for index, level in enumerate(schedule.levels, start=1):
        called = tuple(_named(target, name_of) for target in targets(schedule, level, at, overrides, absent))
        left_out = tuple(skipped(schedule, level, at, overrides, absent, name_of))
        if called:
            levels.append(ChainLevel(_level_name(level, name_of), called, level.wait, left_out))
        else:
            why = f": {', '.join(left_out)}" if left_out else ""
            notes.append(f"level {index} ({_level_name(level, name_of)}) has no one on call{why}")
    return Chain(tuple(levels), schedule.remind_after, schedule.unacknowledge_after, tuple(notes))


def _named(target: Target, name_of: Callable[[str], str]) -> Target:
    is_nameless = not target.channel.leaves_slack and target.who == target.address
    return replace(target, who=name_of(target.address)) if is_nameless else target


def _level_name(level: Level, name_of: Callable[[str], str]) -> str:
    return replace(level, calls=tuple(name_of(call) if is_group(call) else call for call in level.calls)).name


def _person(schedule: Schedule, call: str, at: datetime, overrides: Sequence[Override]) -> OnCallPerson | None:
    if call in schedule.people:
        return schedule.people[call]
    standing_in = [one for one in overrides if one.rotation == call and one.holds(at)]
    if standing_in:
        return schedule.person_of(standing_in[-1].user_id)
    name = shift_of(schedule.rotations[call], at)
    return schedule.people[name] if name else None


def moments_of_change(
    schedule: Schedule, rotation: str, begins: datetime, ends: datetime, overrides: Sequence[Override]
) -> Iterator[datetime]:
    """Every moment between the two at which a shift of the rotation may begin or end, in no order."""
    yield from edges(schedule.rotations[rotation], begins, ends)
    for override in overrides:
        if override.rotation == rotation:
            yield from (moment for moment in (override.begins_at, override.ends_at) if begins < moment < ends)


def zone_of(schedule: Schedule | None) -> ZoneInfo:
    """The time zone in which shifts and weeks begin: the first rotation's, else UTC."""
    zones = [rotation.zone for rotation in schedule.rotations.values()] if schedule else []
    return zones[0] if zones else ZoneInfo("UTC")
