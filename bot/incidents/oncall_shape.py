"""The shape of the on-call file: its tables and keys, and how spans, clocks and zones are written."""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from services.domain.oncall import CALL_AGAIN_AFTER, REMIND_AFTER, UNACKNOWLEDGE_AFTER, Hours, Reach
from services.domain.words import read_span

SHORTEST, LONGEST = timedelta(seconds=10), timedelta(hours=24)

_SLACK_USER = r"^[UW][A-Z0-9]{2,}$"
_TARGET = r"^[a-z0-9][a-z0-9-]{0,98}$"


def _span(value: object) -> timedelta:
    span = read_span(value) if isinstance(value, str) else None
    if span is None:
        raise ValueError('is no time span: write "90s", "5m" or "2 hours"')
    if not SHORTEST <= span <= LONGEST:
        raise ValueError("is out of range: take 10 s to 24 h")
    return span


def _clock(value: object) -> time:
    if isinstance(value, time):
        return value
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('is no time of the day: write "09:00"')
    return time(int(match[1]), int(match[2]))


def _hours(value: object) -> Hours:
    begins, separator, ends = value.partition("-") if isinstance(value, str) else ("", "", "")
    if not separator:
        raise ValueError('is no part of the day: write "08:00-20:00"')
    hours = Hours(_clock(begins.strip()), _clock(ends.strip()))
    if hours.begins == hours.ends:
        raise ValueError("begins and ends at the same time: leave it out for the whole day")
    return hours


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if not _knows_zones():
            why = "cannot be looked up on a machine without time zones: install the package tzdata"
            raise ValueError(why) from None
        raise ValueError('is no time zone: write a name such as "America/New_York"') from None


def _knows_zones() -> bool:
    try:
        ZoneInfo("UTC")
    except (ZoneInfoNotFoundError, OSError):
        return False
    return True


def _day(value: object) -> date:
    if type(value) is not date:
        raise ValueError("is no day: write 2026-01-05, without quotes")
    return value


Span = Annotated[timedelta, BeforeValidator(_span)]
Day = Annotated[date, BeforeValidator(_day)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
TargetName = Annotated[str, Field(pattern=_TARGET)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)


class PersonTable(_Table):
    slack: str = Field(pattern=_SLACK_USER)
    webhook: TargetName | None = None
    email: TargetName | None = None


class RotationTable(_Table):
    people: list[str] = Field(min_length=1)
    every: Literal["day", "week"] = "week"
    starts: Day
    until: Day | None = None
    handover: Annotated[time, BeforeValidator(_clock)] = time(9)
    time_zone: Zone | None = None
    hours: Annotated[Hours | None, BeforeValidator(_hours)] = None


class LevelTable(_Table):
    call: list[str] = Field(default_factory=list)
    by: Annotated[list[Reach], Field(min_length=1), AfterValidator(tuple)] = list(Reach)
    wait: Span = CALL_AGAIN_AFTER
    webhook: TargetName | None = None
    email: TargetName | None = None
    accept_slack_only: bool = False


class FileTable(_Table):
    version: Literal[1]
    time_zone: Zone = Field(default="UTC", validate_default=True)  # looked up with a file, not at the import
    remind_after: Span = REMIND_AFTER
    unacknowledge_after: Span = UNACKNOWLEDGE_AFTER
    people: dict[str, PersonTable] = Field(default_factory=dict)
    rotations: dict[str, RotationTable] = Field(default_factory=dict)
    levels: list[LevelTable] = Field(min_length=1)
