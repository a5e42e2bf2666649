"""Reads the on-call file into a schedule; its errors name the line.

A file with a mistake is not used at all: people would rely on being paged by it, or on not being paged.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, time, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
)

from bot.config.fields import Fault, Invalid
from bot.config.paging import OnCallSettings
from bot.config.toml_lines import TomlLines, decode_toml
from services.domain.channels import Channel
from services.domain.escalation_chain import REMIND_AFTER, UNACKNOWLEDGE_AFTER
from services.domain.oncall import PAGE_AGAIN_AFTER, Level, OnCallPerson, Schedule
from services.domain.rotations import AnyRotation, CalendarRotation, Hours, Rotation
from services.domain.text import read_span
from services.domain.windows import EVERY_DAY, take_days

_TURN_DAYS = {"day": 1, "week": 7}
SHORTEST, LONGEST = timedelta(seconds=10), timedelta(hours=24)

_SLACK_USER = r"^[UW][A-Z0-9]{2,}$"
_PHONE = re.compile(r"\+?[0-9][0-9 ()/.-]{3,30}")
_GROUP = r"^S[A-Z0-9]{2,}$"
_TARGET = r"^[a-z0-9][a-z0-9-]{0,98}$"
_CALENDAR = r"^([a-z0-9][a-z0-9-]{0,98}|[A-Za-z0-9][A-Za-z0-9_-]{0,98}\.ics)$"  # an address's name, or a file beside it
_BY_PEOPLE, _IN_CALENDAR = (
    "<people>",
    "<calendar>",
)  # pydantic's tags for the kinds of rotations, not valid as names


def _span(value: object) -> timedelta:
    span = read_span(value) if isinstance(value, str) else None
    if span is None:
        raise ValueError('is not a time span: write "90s", "5m" or "2 hours"')
    if not SHORTEST <= span <= LONGEST:
        raise ValueError("is out of range: take 10 s to 24 h")
    return span


def _clock(value: object) -> time:
    if isinstance(value, time):
        return value
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('is not a time of day: write "09:00"')
    return time(int(match[1]), int(match[2]))


def _hours(value: object) -> Hours:
    begins, separator, ends = value.partition("-") if isinstance(value, str) else ("", "", "")
    if not separator:
        raise ValueError('is not a part of the day: write "08:00-20:00"')
    hours = Hours(_clock(begins.strip()), _clock(ends.strip()))
    if hours.begins == hours.ends:
        raise ValueError("begins and ends at the same time: leave it out for the whole day")
    return hours


def _weekdays(value: object) -> frozenset[int]:
    found = take_days(value.split()) if isinstance(value, str) else None
    if found is None or not found[0] or found[1]:
        raise ValueError('is not a list of weekdays: write "mon-fri" or "sat,sun"')
    return found[0]


def _phone(value: object) -> str:
    if not isinstance(value, str) or not _PHONE.fullmatch(value):
        raise ValueError('is not a phone number: write "+49 30 1234567"')
    return value


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if not _knows_zones():
            why = "cannot be looked up on a machine without time zones: install the package tzdata"
            raise ValueError(why) from None
        raise ValueError('is not a time zone: write a name such as "America/New_York"') from None


def _knows_zones() -> bool:
    try:
        ZoneInfo("UTC")
    except (ZoneInfoNotFoundError, OSError):
        return False
    return True


def _day(value: object) -> date:
    if type(value) is not date:
        raise ValueError("is not a date: write 2026-01-05, without quotes")
    return value


Span = Annotated[timedelta, BeforeValidator(_span)]
Day = Annotated[date, BeforeValidator(_day)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
SlackGroup = Annotated[str, Field(pattern=_GROUP)]
TargetName = Annotated[str, Field(pattern=_TARGET)]
CalendarName = Annotated[str, Field(pattern=_CALENDAR)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)


class PersonTable(_Table):
    slack: str = Field(pattern=_SLACK_USER)
    webhook: TargetName | None = None
    email: TargetName | None = None
    phone: Annotated[str | None, BeforeValidator(_phone)] = None


class _TurnsTable(_Table):
    people: list[str] = Field(min_length=1)
    every: Literal["day", "week"] = "week"
    until: Day | None = None
    hours: Annotated[Hours | None, BeforeValidator(_hours)] = None
    weekdays: Annotated[frozenset[int], BeforeValidator(_weekdays)] = EVERY_DAY


class LayerTable(_TurnsTable):
    starts: Day | None = None
    handover: Annotated[time | None, BeforeValidator(_clock)] = None


class RotationTable(_TurnsTable):
    user_group: SlackGroup | None = None
    starts: Day
    handover: Annotated[time, BeforeValidator(_clock)] = time(9)
    time_zone: Zone | None = None
    layers: list[LayerTable] = Field(default_factory=list)


class CalendarTable(_Table):
    """The table of a rotation whose turns are in a calendar."""

    calendar: CalendarName
    user_group: SlackGroup | None = None
    time_zone: Zone | None = None


class LevelTable(_Table):
    call: list[str] = Field(default_factory=list)
    by: Annotated[list[Channel], Field(min_length=1), AfterValidator(tuple)] = list(Channel)
    wait: Span = PAGE_AGAIN_AFTER
    webhook: TargetName | None = None
    email: TargetName | None = None
    accept_slack_only: bool = False


def _kind_of(table: object) -> str:
    return _IN_CALENDAR if isinstance(table, dict) and "calendar" in table else _BY_PEOPLE


_AnyRotationTable = Annotated[
    Annotated[RotationTable, Tag(_BY_PEOPLE)] | Annotated[CalendarTable, Tag(_IN_CALENDAR)], Discriminator(_kind_of)
]


class FileTable(_Table):
    version: Literal[1]
    time_zone: Zone = Field(default="UTC", validate_default=True)  # looked up when a file is read, not at import
    remind_after: Span = REMIND_AFTER
    unacknowledge_after: Span = UNACKNOWLEDGE_AFTER
    people: dict[str, PersonTable] = Field(default_factory=dict)
    rotations: dict[str, _AnyRotationTable] = Field(default_factory=dict)
    levels: list[LevelTable] = Field(min_length=1)


GROUP = "oncall"  # the name of this file among the groups of settings

_SLACK_GROUP = re.compile(_GROUP)
_NAME = re.compile(r"[a-z][a-z0-9-]*\Z")


def load_schedule(settings: OnCallSettings | Invalid) -> Schedule | Invalid | None:
    """The schedule of the file that the settings name; None if they name none."""
    if isinstance(settings, Invalid):
        return settings
    if settings.path is None:
        return None
    try:
        content = settings.path.read_bytes()
    except OSError as error:
        problem = f"cannot be read ({error.strerror or type(error).__name__})"
        fault = Fault(f"DRAGONFLY_ONCALL {settings.path}", problem, "correct the path, or remove the variable")
        return Invalid(GROUP, (fault,))
    return read_schedule(content, str(Path(settings.path).name))


def schedule_faults(settings: OnCallSettings | Invalid) -> tuple[Fault, ...]:
    """The faults of the file; a malformed variable is the settings' own fault."""
    schedule = None if isinstance(settings, Invalid) else load_schedule(settings)
    return schedule.faults if isinstance(schedule, Invalid) else ()


def read_schedule(content: bytes, name: str) -> Schedule | Invalid:
    """Parse a file's content as a schedule; `name` is the file's name in faults. Reports all faults at once."""
    try:
        text = decode_toml(content)
        document = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return Invalid(GROUP, (Fault(name, f"is not TOML: {error}", "correct that line"),))
    reading = _Reading(name, TomlLines(text))
    try:
        file = FileTable.model_validate(document)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            reading.refuse(_place(one), *_malformed(one))
    else:
        reading.check(file)
        if not reading.faults:
            return _schedule(file)
    return Invalid(GROUP, tuple(reading.faults))


class _Reading:
    """Collects the faults of one file."""

    def __init__(self, name: str, lines: TomlLines) -> None:
        self.faults: list[Fault] = []
        self._name = name
        self._lines = lines

    def check(self, file: FileTable) -> None:
        """Find the faults that only the file as a whole shows."""
        self._check_names(file)
        self._check_groups(file)
        for name, rotation in file.rotations.items():
            if isinstance(rotation, CalendarTable):
                continue
            self._check_turns(("rotations", name), rotation, rotation.starts, file)
            for index, layer in enumerate(rotation.layers):
                self._check_turns(("rotations", name, "layers", index), layer, layer.starts or rotation.starts, file)
        callable_names = [*file.rotations, *file.people]
        for index, level in enumerate(file.levels):
            words = [word for word in level.call if not _SLACK_GROUP.match(word)]
            self._check_words(("levels", index, "call"), words, callable_names, "a rotation, a person or a group's id")
            if not (level.call or level.webhook or level.email):
                self.refuse(("levels", index), "the level pages no one", 'write call = ["…"]')

    def _check_groups(self, file: FileTable) -> None:
        followed: set[str] = set()
        for name, rotation in file.rotations.items():
            if rotation.user_group in followed:
                problem = f"{_quoted(rotation.user_group)} follows another rotation already"
                self.refuse(("rotations", name, "user_group"), problem, "take another group, or remove it")
            followed |= {rotation.user_group} if rotation.user_group else set()

    def _check_turns(
        self, path: tuple[str | int, ...], table: RotationTable | LayerTable, starts: date, file: FileTable
    ) -> None:
        self._check_words((*path, "people"), table.people, list(file.people), "a person")
        if table.until is not None and table.until <= starts:
            self.refuse((*path, "until"), "`until` is not after `starts`", "correct one of them")

    def refuse(self, path: Iterable[str | int], problem: str, what_next: str) -> None:
        line = self._lines.find(*path)
        self.faults.append(Fault(f"{self._name}{f' line {line}' if line else ''}", problem, what_next))

    def _check_names(self, file: FileTable) -> None:
        for table, names in (("people", list(file.people)), ("rotations", list(file.rotations))):
            for name in names:
                if not _NAME.match(name):
                    self.refuse(
                        (table, name), f"{_quoted(name)} is not a valid name", "write small letters, digits and `-`"
                    )
        for name in file.people.keys() & file.rotations.keys():
            self.refuse(("rotations", name), f"{_quoted(name)} is a person too", "give the rotation another name")

    def _check_words(self, path: tuple[str | int, ...], words: list[str], known: list[str], what: str) -> None:
        for word in words:
            if word not in known:
                meant = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
                what_next = f"write `{meant[0]}`" if meant else f"use {', '.join(sorted(known)) or 'what the file has'}"
                self.refuse(path, f"`{path[-1]}` names {_quoted(word)}, which is not {what}", what_next)


_NO_TARGET = ("is not the name of a target", "write its name, such as `ann`; its address is in the settings")
_PATTERNS = {
    "user_group": ("is not the id of a user group", "copy it from the group's page in Slack (S…)"),
    "slack": ("is not a Slack user id", "copy it from the person's profile (U…)"),
    "calendar": (
        "is not the name of a calendar",
        "write `primary` for ONCALL_CALENDAR_URL_PRIMARY, or `primary.ics` for a file beside this one",
    ),
}


def _place(error: Any) -> tuple[str | int, ...]:
    """The place in the file that a pydantic error is about."""
    return tuple(part for part in error["loc"] if part not in (_BY_PEOPLE, _IN_CALENDAR))


def _malformed(error: Any) -> tuple[str, str]:
    """A pydantic error as problem and next step; its own words hold no value of the file."""
    names = [part for part in _place(error) if isinstance(part, str)]
    key = f"`{names[-1]}`" if names else "the file"
    match error["type"]:
        case "missing":
            return f"{key} is missing", "add it"
        case "extra_forbidden" if _IN_CALENDAR in error["loc"]:
            return f"{_quoted(names[-1])} has no effect beside `calendar`", "remove one of them"
        case "extra_forbidden":
            return f"{_quoted(names[-1])} is not known here", "see oncall.example.toml"
        case "value_error":
            problem, _, what_next = str(error["ctx"]["error"]).partition(": ")
            return f"{key} {problem}", what_next or "correct it"
        case "string_pattern_mismatch":
            problem, what_next = _PATTERNS.get(names[-1], _NO_TARGET)
            return f"{key} {problem}", what_next
        case "too_short":
            return f"{key} is empty", "name at least one"
        case _:
            return f"{key}: {error['msg'][:1].lower()}{error['msg'][1:]}", "see oncall.example.toml"


def _schedule(file: FileTable) -> Schedule:
    people = {
        name: OnCallPerson(name, person.slack, person.webhook, person.email, person.phone)
        for name, person in file.people.items()
    }
    rotations = {name: _rotation(name, table, file.time_zone) for name, table in file.rotations.items()}
    levels = tuple(
        Level(tuple(level.call), frozenset(level.by), level.wait, level.webhook, level.email, level.accept_slack_only)
        for level in file.levels
    )
    groups = {table.user_group: name for name, table in file.rotations.items() if table.user_group}
    return Schedule(people, rotations, levels, file.remind_after, file.unacknowledge_after, groups)


def _rotation(name: str, table: RotationTable | CalendarTable, zone: ZoneInfo) -> AnyRotation:
    if isinstance(table, CalendarTable):
        return CalendarRotation(name, table.calendar, table.time_zone or zone)
    rotation = Rotation(
        name=name,
        people=tuple(table.people),
        days=_TURN_DAYS[table.every],
        starts=table.starts,
        handover=table.handover,
        zone=table.time_zone or zone,
        until=table.until,
        hours=table.hours,
        weekdays=table.weekdays,
    )
    return replace(rotation, layers=tuple(_layer(rotation, layer) for layer in table.layers))


def _layer(rotation: Rotation, table: LayerTable) -> Rotation:
    """A layer of a rotation. Keys that it lacks are as in its rotation, except `until`, `hours` and `weekdays`."""
    return replace(
        rotation,
        people=tuple(table.people),
        days=_TURN_DAYS[table.every],
        starts=table.starts or rotation.starts,
        handover=table.handover or rotation.handover,
        until=table.until,
        hours=table.hours,
        weekdays=table.weekdays,
    )


def _quoted(word: str) -> str:
    """A word of the file, made harmless and short: faults are shown in Slack."""
    return f"`{re.sub(r'[^A-Za-z0-9_.*-]', '?', word)[:40]}`"
