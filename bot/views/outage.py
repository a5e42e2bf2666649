"""What people read while the bot cannot reach or write the database, and once it can again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from bot.types import Block
from bot.views.blocks import (
    actions,
    command_button,
    context,
    fit_message,
    is_web_address,
    link_button,
    section,
    sections,
)
from bot.views.delivery import notified_words
from bot.views.text import FirstLine, date_token, escape, mention
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.message_origin import slash
from services.domain.notifications import Notification
from services.domain.text import age, clock_time

Content = tuple[str, list[Block]]

ACKNOWLEDGE = "outage.acknowledge"  # action id
OUTAGE_ACKNOWLEDGED = "You're assigned. No one else will be paged."  # for who pressed it, or typed `incident ack`


@dataclass(frozen=True)
class AwayLine:
    """What is wrong, in its parts: where, what, why as far as the bot knows, and what the API reports."""

    place: str
    what: str
    problem: str
    api: str

    @property
    def text(self) -> str:
        """As plain text in one line: what pagers and mails say."""
        return f"{self.place} · {self.what} ({self.problem}) · {self.api}"


def away_line(
    environment: str | None, problem: str, api: ApiHealth | Unavailable, *, refuses_writes: bool = False
) -> AwayLine:
    """`refuses_writes`: the database answers and stores nothing."""
    return AwayLine(environment or "environment unknown", _what(api, refuses_writes), problem, _api(api))


def _what(api: ApiHealth | Unavailable, refuses_writes: bool) -> str:
    if refuses_writes:
        return "the database accepts no writes"
    is_away_for_all = isinstance(api, ApiHealth) and api.db_connected is False
    return "the database does not answer" if is_away_for_all else "the bot can't reach the database"


def away_details(since: datetime) -> str:
    """What a pager and a mail say below the first line."""
    return (
        f"Since {clock_time(since)}. Acknowledge it in Slack, or type {slash('ack')}: that works without the database."
    )


def away(
    line: AwayLine,
    *,
    wakes: bool,
    since: datetime,
    paged: Sequence[str] = (),
    links: Mapping[str, str] = MappingProxyType({}),
    acknowledged_by: str | None = None,
) -> Content:
    """`wakes`: the database seems down for all processes, so this is a page. `paged`: Slack ids of who is paged first.

    links: `{label: address}` of where to look. acknowledged_by: its owner; no one else is paged then.
    """
    first = FirstLine("🔴 *PAGE*" if wakes else "🟠 *Blind*", line.place, line.what, since)
    state = [f"🟡 acknowledged by {mention(acknowledged_by)}"] if acknowledged_by else []
    why = escape(f"{line.problem} · {line.api}")
    is_asked = wakes and acknowledged_by is None
    buttons = [
        *([_acknowledge_button()] if is_asked else []),
        command_button("Health", "health"),
        command_button("On call", "oncall"),
        *(link_button(label, url) for label, url in links.items() if is_web_address(url)),
    ]
    called = [f"📟 {' '.join(map(mention, dict.fromkeys(paged)))} paged first"] if is_asked and paged else []
    lines = [*state, why, *called]
    blocks = [
        section(first.shown),
        *sections(lines),
        *actions(buttons),
        context(
            "Until the database is back, heartbeats, jobs and runs are not monitored, and nothing can be approved."
        ),
    ]
    return fit_message("\n".join([first.phone.replace("*", ""), *state, why]), blocks)


def paged_note(number: int, name: str, *, mentions: Sequence[str], skipped: Sequence[str]) -> Content:
    """In the thread: the next level is paged. The mentions are what rings in Slack. `skipped`: who is not paged."""
    mentioned = " ".join(map(mention, mentions))
    line = f"📟 {mentioned} *Level {number}* ({escape(name, limit=200)}) is paged: not acknowledged yet"
    notes = [f"⚠️ {escape(words, limit=200)}: not paged" for words in skipped]
    return fit_message(line, [section(line), *([context(*notes)] if notes else [])])


def acknowledged_note(user_id: str) -> Content:
    """In the thread: who has it."""
    line = f"🟡 {mention(user_id)} acknowledged it. No one else will be paged."
    return fit_message(line, [section(line)])


def back_words(*, refused_writes: bool = False) -> str:
    """That it is over, as a clause."""
    return "the database accepts writes again" if refused_writes else "the bot reaches the database again"


def back(
    environment: str | None,
    *,
    since: datetime,
    at: datetime,
    refused_writes: bool = False,
    notified: Sequence[Notification] = (),
) -> Content:
    """The same message once it is over. `notified`: who was outside Slack."""
    line = f"{escape(environment or 'environment unknown')} · {back_words(refused_writes=refused_writes)}"
    blocks = [
        section(f"🟢 *Back* {line}"),
        context(f"down for {age(at - since)}, from {date_token(since)} to {date_token(at)}{notified_words(notified)}"),
    ]
    return fit_message(f"🟢 Back {line}", blocks)


def back_note(*, since: datetime, at: datetime) -> Content:
    """In the thread, because an edit notifies no one."""
    line = f"🟢 The database is back after {age(at - since)}. Alerts and runs have resumed."
    return fit_message(line, [section(line)])


def _acknowledge_button() -> Block:
    text = {"type": "plain_text", "text": "Acknowledge", "emoji": False}
    return {"type": "button", "action_id": ACKNOWLEDGE, "text": text, "value": "database", "style": "primary"}


def _api(api: ApiHealth | Unavailable) -> str:
    if isinstance(api, Unavailable):
        return f"the API does not answer ({api.why})"
    if api.db_writable is False:
        return "the API can't write either"
    if api.db_connected is None:
        return "the API does not report whether it reaches it"
    return "the API reaches it" if api.db_connected else "the API can't reach it either"
