"""Messages on changes of the on-call file and its calendars, for the channel and for people whose shifts move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.types import Block
from bot.views.blocks import actions, command_button, context, fit_message, section
from bot.views.overrides import move_lines, moved_people
from bot.views.text import date_token, escape
from services.domain.calendar_slots import Unnamed
from services.domain.moments import WEEKDAYS
from services.domain.oncall import Level, Schedule
from services.domain.rotations import AnyRotation, CalendarRotation
from services.domain.shifts import Move
from services.domain.text import age, counted
from services.domain.windows import EVERY_DAY

__all__ = [
    "Content",
    "calendar_message",
    "moved_message",
    "moved_people",
    "new_file_message",
    "readable_calendar_message",
    "unreadable_calendar_message",
]

Content = tuple[str, list[Block]]
MOST = 10


def new_file_message(before: Schedule, after: Schedule, moved: Sequence[Move]) -> Content:
    """For the channel: the changes of the file, and the shifts that move in the next 4 weeks."""
    first = "📟 *The on-call file changed* and is in force"
    changes = [f"• {escape(line, limit=300)}" for line in file_changes(before, after)][:MOST]
    lines = [first, *(changes or ["• no one is paged differently"]), *move_lines(moved)]
    note = "shifts of the next 4 weeks; everyone affected got a message" if moved else "no shift changes"
    blocks = [section("\n".join(lines)), *actions([command_button("On call", "oncall")]), context(note)]
    return fit_message(first.replace("*", ""), blocks)


def moved_message(what: str, moved: Sequence[Move], user_id: str) -> Content:
    """To a person whose shifts move. `what`: the reason ("The on-call file")."""
    theirs = [move for move in moved if user_id in {one.slack for one in (move.before, move.after) if one}]
    first = f"📟 {escape(what, limit=200)} changed your shifts"
    return fit_message(
        first, [section("\n".join([first, *move_lines(theirs)])), *actions([command_button("On call", "oncall")])]
    )


def calendar_message(rotation: str, moved: Sequence[Move], unnamed: Sequence[Unnamed]) -> Content:
    """For the channel: the changes of a rotation's calendar. `unnamed`: events that put no one on call.

    Their titles are left out, because a shared calendar has private events; `check-config --json` has them.
    """
    first = f"📅 *The calendar of {escape(rotation, limit=100)} changed* and is in force"
    events = [_event_line(one) for one in unnamed[:MOST]]
    left = [f"… and {counted(len(unnamed) - MOST, 'more event')}"] if len(unnamed) > MOST else []
    lines = [first, *move_lines(moved), *events, *left]
    note = "shifts of the next 4 weeks; everyone affected got a message" if moved else "no shift changes"
    blocks = [section("\n".join(lines)), *actions([command_button("On call", "oncall")]), context(note)]
    return fit_message(first.replace("*", ""), blocks)


def _event_line(event: Unnamed) -> str:
    return f"⚠️ An event from {date_token(event.begins)} {escape(event.why, limit=300)}: it puts no one on call"


def unreadable_calendar_message(calendar: str, why: str, *, is_known: bool) -> Content:
    """For the channel, once: a calendar can't be read. `is_known`: a last valid version exists."""
    kept = "the last good one stays in force" if is_known else "its rotation has *no one* on call"
    line = f"🔴 *The calendar {escape(calendar, limit=100)} was not loaded*: {kept}"
    lines = [line, f"• {escape(calendar, limit=100)} {escape(why, limit=300)}"]
    blocks = [section("\n".join(lines)), *actions([command_button("On call", "oncall")])]
    return fit_message("\n".join(lines).replace("*", ""), blocks)


def readable_calendar_message(calendar: str) -> Content:
    """For the channel, after `unreadable_calendar_message`: the calendar can be read again."""
    line = f"✅ The calendar {escape(calendar, limit=100)} can be read again and is in force"
    return fit_message(line, [section(line)])


def file_changes(before: Schedule, after: Schedule) -> Iterator[str]:
    """The differences in people, rotations and levels, one plain line each."""
    for name in dict.fromkeys([*before.people, *after.people]):
        old, new = before.people.get(name), after.people.get(name)
        if old != new:
            yield f"{name}: {_verb(old, new)}"
    for name in dict.fromkeys([*before.rotations, *after.rotations]):
        was, becomes = before.rotations.get(name), after.rotations.get(name)
        if was != becomes:
            yield f"rotation {name}: {rotation_words(becomes) if becomes else 'removed'}"
    for number in range(1, max(len(before.levels), len(after.levels)) + 1):
        level = after.levels[number - 1] if number <= len(after.levels) else None
        if level != (before.levels[number - 1] if number <= len(before.levels) else None):
            yield f"level {number}: {_level_words(level) if level else 'removed'}"


def rotation_words(rotation: AnyRotation) -> str:
    """ "ann, ben, weekly at 09:00 (Europe/Berlin), 20:00-08:00, mon-fri; 1 layer"."""
    if isinstance(rotation, CalendarRotation):
        return f"as the calendar {rotation.calendar} says ({rotation.zone.key})"
    words = [
        ", ".join(rotation.people),
        f"{'daily' if rotation.days == 1 else 'weekly'} at {rotation.handover:%H:%M} ({rotation.zone.key})",
    ]
    if rotation.hours:
        words.append(f"{rotation.hours.begins:%H:%M}-{rotation.hours.ends:%H:%M}")
    if rotation.weekdays != EVERY_DAY:
        words.append(", ".join(WEEKDAYS[day] for day in sorted(rotation.weekdays)))
    if rotation.until:
        words.append(f"until {rotation.until}")
    layers = [f"layer: {rotation_words(layer)}" for layer in rotation.layers]
    return "; ".join([", ".join(words), *layers])


def _level_words(level: Level) -> str:
    return f"{level.name}, by {', '.join(sorted(channel.words for channel in level.by))}, waits {age(level.wait)}"


def _verb(old: object, new: object) -> str:
    if old is None:
        return "added"
    return "removed" if new is None else "changed"
