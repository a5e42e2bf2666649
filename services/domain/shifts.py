"""Shifts of a rotation, and how a change of the file or of overrides moves them; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from services.domain.oncall import OnCallPerson, Override, Schedule, holder, moments_of_change

FURTHEST = timedelta(days=92)  # people plan no shift further ahead


@dataclass(frozen=True)
class Shift:
    """`person` is on call for a rotation from `begins` until before `ends`; None if no one is."""

    rotation: str
    begins: datetime
    ends: datetime
    person: OnCallPerson | None


def shifts(
    schedule: Schedule, rotation: str, begins: datetime, ends: datetime, overrides: Sequence[Override]
) -> list[Shift]:
    """All shifts between the two moments, without a break; consecutive shifts have different people.

    The first and the last are cut off at these moments. Empty if the file has no such rotation.
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
    """The person's shift at `since` (from then on), or their next one within `FURTHEST`; its end isn't cut off."""
    found = shifts(schedule, rotation, since, since + FURTHEST, overrides)
    return next((shift for shift in found if _slack(shift.person) == user_id), None)


def end_of_shift(schedule: Schedule, rotation: str, at: datetime, overrides: Sequence[Override]) -> datetime | None:
    """The next moment after `at` at which another person's shift begins; None if that is further away than `FURTHEST`,
    or unknown."""
    found = shifts(schedule, rotation, at, at + FURTHEST, overrides)
    return found[0].ends if len(found) > 1 else None


def is_whole(schedule: Schedule, shift: Shift, overrides: Sequence[Override]) -> bool:
    """True if its person is on call for all of it."""
    found = shifts(schedule, shift.rotation, shift.begins, shift.ends, overrides)
    return [_slack(one.person) for one in found] == [_slack(shift.person)]


@dataclass(frozen=True)
class Move:
    """A span, from `begins` until before `ends`, in which a change puts another person on call for a rotation.

    `before`, `after`: None if no one is on call.
    """

    rotation: str
    begins: datetime
    ends: datetime
    before: OnCallPerson | None
    after: OnCallPerson | None


@dataclass(frozen=True)
class ShiftReminder:
    """A reminder for a person whose shifts changed. `gains`: they are now on call then; False: another person is on
    call instead of them."""

    rotation: str
    user_id: str
    gains: bool
    begins_at: datetime
    ends_at: datetime


class SwapState(StrEnum):
    """The state of a swap. The values are stored."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Swap:
    """`user_id` asks `other_user` to take the shift from `begins_at` until `ends_at`, in return for the other shift."""

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
    """An on-call schedule with the overrides that apply to it."""

    schedule: Schedule
    overrides: Sequence[Override]


def moves(before: Plan, after: Plan, begins: datetime, ends: datetime) -> list[Move]:
    """The differences between the two plans from `begins` to `ends`: by rotation, in order of time."""
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
