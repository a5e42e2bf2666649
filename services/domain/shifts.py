"""Who is on call from when until when, and what a change of file or overrides does to whom; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from services.domain.oncall import OnCallPerson, Override, Schedule, holder, moments_of_change

FURTHEST = timedelta(days=92)  # a shift further away is nothing that people plan


@dataclass(frozen=True)
class Shift:
    """`person` is on call for a rotation from `begins` until before `ends`; None: no one is."""

    rotation: str
    begins: datetime
    ends: datetime
    person: OnCallPerson | None


def shifts(
    schedule: Schedule, rotation: str, begins: datetime, ends: datetime, overrides: Sequence[Override]
) -> list[Shift]:
    """Everything between the two moments, without a break; each shift is another person's than the one before.

    The first and the last are cut off there. Empty for a rotation that the file does not have.
    """
    if rotation not in schedule.rotations or begins >= ends:
        return []
    found: list[Shift] = []
    moments = sorted({begins, ends, *moments_of_change(schedule, rotation, begins, ends, overrides)})
    for start, end in pairwise(moments):
        person = holder(schedule, rotation, start, overrides)
        if found and _slack(found[-1].person) == _slack(person):
            found[-1] = Shift(rotation, found[-1].begins, end, found[-1].person)
        else:
            found.append(Shift(rotation, start, end, person))
    return found


def find_shift(
    schedule: Schedule, rotation: str, user_id: str, since: datetime, overrides: Sequence[Override]
) -> Shift | None:
    """The person's shift at `since`, from then on, or their next one within `FURTHEST`; whole at its end."""
    found = shifts(schedule, rotation, since, since + FURTHEST, overrides)
    return next((shift for shift in found if _slack(shift.person) == user_id), None)


def end_of_shift(schedule: Schedule, rotation: str, at: datetime, overrides: Sequence[Override]) -> datetime | None:
    """When another person's shift begins, after `at`; None when that is further away than `FURTHEST`, or unknown."""
    found = shifts(schedule, rotation, at, at + FURTHEST, overrides)
    return found[0].ends if len(found) > 1 else None


def is_whole(schedule: Schedule, shift: Shift, overrides: Sequence[Override]) -> bool:
    """Whether its person is on call for all of it."""
    found = shifts(schedule, shift.rotation, shift.begins, shift.ends, overrides)
    return [_slack(one.person) for one in found] == [_slack(shift.person)]


@dataclass(frozen=True)
class Move:
    """From `begins` until before `ends` another person is on call for a rotation than before the change.

    `before`, `after`: None where no one is.
    """

    rotation: str
    begins: datetime
    ends: datetime
    before: OnCallPerson | None
    after: OnCallPerson | None


@dataclass(frozen=True)
class ShiftReminder:
    """For a person whom a change moved. `gains`: they are on call then; else another one is instead of them."""

    rotation: str
    user_id: str
    gains: bool
    begins_at: datetime
    ends_at: datetime


class SwapState(StrEnum):
    """The values are stored."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Swap:
    """`user_id` asks `other_user` to take the shift from `begins_at` until `ends_at`, and takes the other for it."""

    id: int
    rotation: str
    user_id: str
    team_id: str
    other_user: str
    begins_at: datetime
    ends_at: datetime
    other_begins_at: datetime
    other_ends_at: datetime
    state: SwapState = SwapState.OFFERED

    @property
    def message_key(self) -> str:
        """The outbox key of its message in the channel."""
        return f"oncall:swap:{self.id}"


@dataclass(frozen=True)
class Plan:
    """A file with the overrides that hold."""

    schedule: Schedule
    overrides: Sequence[Override]


def moves(before: Plan, after: Plan, begins: datetime, ends: datetime) -> list[Move]:
    """What differs between the two moments: by rotation, in the order of time."""
    names = dict.fromkeys([*before.schedule.rotations, *after.schedule.rotations])
    return [move for name in names for move in _moves_of(name, before, after, begins, ends)]


def _moves_of(rotation: str, before: Plan, after: Plan, begins: datetime, ends: datetime) -> Iterator[Move]:
    old = shifts(before.schedule, rotation, begins, ends, before.overrides) or [Shift(rotation, begins, ends, None)]
    new = shifts(after.schedule, rotation, begins, ends, after.overrides) or [Shift(rotation, begins, ends, None)]
    last: Move | None = None
    for start, end in pairwise(sorted({edge for one in (*old, *new) for edge in (one.begins, one.ends)})):
        was, becomes = _at(old, start), _at(new, start)
        if _slack(was) == _slack(becomes):
            continue
        if last and last.ends == start and (_slack(last.before), _slack(last.after)) == (_slack(was), _slack(becomes)):
            last = Move(rotation, last.begins, end, was, becomes)
            continue
        if last:
            yield last
        last = Move(rotation, start, end, was, becomes)
    if last:
        yield last


def _at(found: Sequence[Shift], moment: datetime) -> OnCallPerson | None:
    return next(one.person for one in found if one.begins <= moment < one.ends)


def _slack(person: OnCallPerson | None) -> str | None:
    return person.slack if person else None
