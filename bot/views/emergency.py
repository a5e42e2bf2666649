"""What is said of an emergency stop that was made without the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bot.commands._contract import Answer, Block
from bot.views.blocks import context, section
from bot.views.mentions import person
from bot.views.text import escape
from playbooks._contract import Plan, Status
from services.domain.runs import Person, Run
from services.domain.services import Service

LATER = "the run is filed by itself once the database is back; `scale` starts the workers again"


class Content(NamedTuple):
    """What a message says: the fallback text, which makes sense by itself, and the blocks."""

    text: str
    blocks: list[Block]


def stopping_notice(
    plan: Plan, requester: Person | None, reason: str, lines: Sequence[tuple[bool, str]] = ()
) -> Content:
    """Who stops what and why, for everybody in the channel. `lines` as in `emergency_answer`; empty: under way."""
    first = _first(plan.environment, lines)
    why = f": {escape(reason)}" if reason else ""
    asked = f"*Asked for by* {person(requester)}{why}"
    what = "*Stops* " + " and ".join(service.short for service in Service if service in plan.services)
    body = "\n".join([first, *(_lines(lines) or [what]), asked])
    return Content(f"{first}; {asked}", [section(body), context(LATER)])


def emergency_answer(environment: str, lines: Sequence[tuple[bool, str]], *, told: bool) -> Answer:
    """`lines`: whether it is stopping, and the words for it, one a service. `told`: the channel has its own message."""
    fine = all(is_stopping for is_stopping, _ in lines)
    first = _first(environment, lines)
    note = f"everybody was told in the incidents channel; {LATER}" if told else LATER
    data = {"stopping": fine, "services": [note for _, note in lines]}
    status = Status.OK if fine else Status.FAIL
    return Answer(first, [section("\n".join([first, *_lines(lines)])), context(note)], data, status, private=told)


def joined_notice(run: Run) -> Content:
    """The message of a stop whose run has one of its own."""
    text = f"🛑 *{escape(run.title)}* · {escape(run.environment)} · run {run.id}: its own message says how it ended"
    return Content(text, [section(text)])


def _first(environment: str, lines: Sequence[tuple[bool, str]]) -> str:
    fine = all(is_stopping for is_stopping, _ in lines)
    sign = "🛑 *STOPPING THE WORKERS*" if fine else "🔴 *NOT ALL WORKERS ARE STOPPING*"
    return f"{sign} · {escape(environment)} · without the database, so nothing is written down yet"


def _lines(lines: Sequence[tuple[bool, str]]) -> list[str]:
    return [f"{'•' if is_stopping else '🔴'} {escape(note)}" for is_stopping, note in lines]
