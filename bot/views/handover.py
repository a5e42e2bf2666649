"""The handover note at each change of shift, for the person who goes on call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.types import Block
from bot.views.blocks import actions, command_button, context, fit_message, section
from bot.views.freezes import freeze_line
from bot.views.incidents import incident_line
from bot.views.runs import run_line
from bot.views.text import code, date_token, escape, mention
from services.domain.alerts import Silence
from services.domain.freezes import Freeze, Lock
from services.domain.incidents import Incident
from services.domain.oncall import OnCallPerson
from services.domain.reports import Shift as ShiftPages
from services.domain.runs import Run
from services.domain.shifts import Shift
from services.domain.text import counted

Content = tuple[str, list[Block]]
MOST = 5  # lines of each kind; the commands show the rest


@dataclass(frozen=True)
class Handover:
    """Data of the note. `before`: the person on call until `shift` began. `runs`: ended in that person's shift, newest
    first. `pages`: per shift of the last week.
    """

    shift: Shift
    before: OnCallPerson | None
    incidents: Sequence[Incident]
    silences: Sequence[Silence]
    locks: Sequence[Lock]
    freezes: Sequence[Freeze]
    runs: Sequence[Run]
    pages: Sequence[ShiftPages]
    now: datetime


def handover_message(facts: Handover) -> Content:
    """The note for the channel. Empty parts are named too, so that no one has to look for them."""
    rotation = escape(facts.shift.rotation, limit=100)
    first = f"🔁 *{rotation}* · {_who(facts.shift.person)} is on call now, after {_who(facts.before)}"
    lines = [first, *_open(facts), *_quiet(facts), *_locked(facts), *_changed(facts), _pages(facts)]
    buttons = [
        command_button("Add a line", f"oncall note {facts.shift.rotation}"),
        command_button("On call", "oncall"),
        command_button("Health", "health"),
    ]
    note = context("add lines in the thread; the next shift reads them there")
    return fit_message(first, [section("\n".join(lines)), *actions(buttons), note])


def note_message(user_id: str, text: str) -> Content:
    """A line that a person adds in the note's thread."""
    line = f"📝 {mention(user_id)}: {escape(text, limit=1000)}"
    return fit_message(line, [section(line)])


def _open(facts: Handover) -> Iterator[str]:
    if not facts.incidents:
        yield "• no incident is open"
    yield from _most([f"• {incident_line(one)}" for one in facts.incidents])


def _quiet(facts: Handover) -> Iterator[str]:
    lines = [
        f"• 🔕 {code(one.what)} is silenced until {date_token(one.ends_at)}: {escape(one.reason, limit=200)}"
        for one in facts.silences
    ]
    yield from _most(lines)


def _locked(facts: Handover) -> Iterator[str]:
    locks = [f"• 🔒 {one.service.short} is locked: {escape(one.reason, limit=200)}" for one in facts.locks]
    yield from _most([*locks, *(f"• {freeze_line(one, facts.now)}" for one in facts.freezes)])


def _changed(facts: Handover) -> Iterator[str]:
    if not facts.runs:
        yield "• no run ended in the last shift"
    yield from _most([f"• {run_line(one)}" for one in facts.runs])


def _pages(facts: Handover) -> str:
    pages = sum(shift.pages for shift in facts.pages)
    if not pages:
        return "• no pages in the last 7 days"
    nights = sum(shift.pages for shift in facts.pages if shift.is_night)
    return f"• {counted(pages, 'page')} in the last 7 days, {nights} of them at night"


def _most(lines: Sequence[str]) -> list[str]:
    left = len(lines) - MOST
    return [*lines[:MOST], *([f"• … and {left} more"] if left > 0 else [])]


def _who(person: OnCallPerson | None) -> str:
    return mention(person.slack) if person else "*no one*"
