"""An absent database as one message, told without the database."""

from __future__ import annotations

from datetime import datetime

from bot.commands._contract import Block
from bot.views.blocks import actions, command_button, context, section
from bot.views.message import fit_message
from bot.views.text import date_token, escape
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.words import age

Content = tuple[str, list[Block]]


def away_line(
    environment: str | None, problem: str, api: ApiHealth | Unavailable, *, refuses_writes: bool = False
) -> str:
    """The first line as plain text: what a phone shows. `refuses_writes`: the database answers and stores nothing."""
    place = environment or "environment unknown"
    what = "the database takes no writes" if refuses_writes else "the bot does not reach the database"
    return f"{place} · {what} ({problem}) · {_api(api)}"


def away(line: str, *, wakes: bool, since: datetime) -> Content:
    """`wakes`: the database seems down for everybody, so this is a page."""
    head = "🔴 *PAGE*" if wakes else "🟠 *Blind*"
    blocks = [
        section(f"{head} {escape(line)}"),
        section("Nobody watches heartbeats, jobs and runs until it is back, and nothing can be approved."),
        *actions([command_button("Health", "health", style="primary"), command_button("On call", "oncall")]),
        context(f"missed since {date_token(since)}"),
    ]
    return fit_message(f"{head.replace('*', '')} {escape(line)}", blocks)


def back_words(*, refused_writes: bool = False) -> str:
    """That it is over, as a clause."""
    return "the database takes writes again" if refused_writes else "the bot reaches the database again"


def back(environment: str | None, *, since: datetime, at: datetime, refused_writes: bool = False) -> Content:
    """The same message once it is over."""
    line = f"{escape(environment or 'environment unknown')} · {back_words(refused_writes=refused_writes)}"
    blocks = [
        section(f"🟢 *Back* {line}"),
        context(f"away for {age(at - since)}, from {date_token(since)} to {date_token(at)}"),
    ]
    return fit_message(f"🟢 Back {line}", blocks)


def back_note(*, since: datetime, at: datetime) -> Content:
    """In the thread, because an edit notifies nobody."""
    line = f"🟢 The database is back after {age(at - since)}. Alerts and runs go on from what it says now."
    return fit_message(line, [section(line)])


def _api(api: ApiHealth | Unavailable) -> str:
    if isinstance(api, Unavailable):
        return f"the API does not answer ({api.why})"
    if api.db_writable is False:
        return "the API cannot write either"
    if api.db_connected is None:
        return "the API does not say whether it reaches it"
    return "the API reaches it" if api.db_connected else "the API does not reach it either"
