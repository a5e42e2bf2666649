"""An absent database as one message, told without the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from bot.commands._contract import Block
from bot.outage.decide import PagedLevel
from bot.views.blocks import actions, command_button, context, is_web_address, link_button, section, sections
from bot.views.first_line import FirstLine
from bot.views.mentions import mention
from bot.views.message import fit_message
from bot.views.text import date_token, escape
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.words import age

Content = tuple[str, list[Block]]

ACKNOWLEDGE = "outage.acknowledge"  # action id
OUTAGE_ACKNOWLEDGED = "You have it; nobody else is paged."  # for who pressed it, or typed `incident ack`


@dataclass(frozen=True)
class AwayLine:
    """What is wrong, in its parts: where, what, why as far as the bot knows, and what the API says."""

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
    what = "the database takes no writes" if refuses_writes else "the bot does not reach the database"
    return AwayLine(environment or "environment unknown", what, problem, _api(api))


def away(
    line: AwayLine,
    *,
    wakes: bool,
    since: datetime,
    paged: Sequence[str] = (),
    links: Mapping[str, str] = MappingProxyType({}),
    acknowledged_by: str | None = None,
) -> Content:
    """`wakes`: the database seems down for everybody, so this is a page. `paged`: Slack ids of who is paged first.

    links: `{label: address}` of where to look. acknowledged_by: who has it; nobody else is paged then.
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
        context("Nobody watches heartbeats, jobs and runs until it is back, and nothing can be approved."),
    ]
    return fit_message("\n".join([first.phone.replace("*", ""), *state, why]), blocks)


def paged_note(level: PagedLevel) -> Content:
    """In the thread: the next level is paged. The mentions are what rings in Slack."""
    mentions = " ".join(map(mention, level.mentions))
    line = (
        f"📟 {mentions} *Level {level.number}* ({escape(level.name, limit=200)}) is paged: nobody has acknowledged it"
    )
    notes = [f"⚠️ {escape(words, limit=200)}: not paged" for words in level.skipped]
    return fit_message(line, [section(line), *([context(*notes)] if notes else [])])


def acknowledged_note(user_id: str) -> Content:
    """In the thread: who has it."""
    line = f"🟡 {mention(user_id)} acknowledged it: nobody else is paged."
    return fit_message(line, [section(line)])


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


def _acknowledge_button() -> Block:
    text = {"type": "plain_text", "text": "Acknowledge", "emoji": False}
    return {"type": "button", "action_id": ACKNOWLEDGE, "text": text, "value": "database", "style": "primary"}


def _api(api: ApiHealth | Unavailable) -> str:
    if isinstance(api, Unavailable):
        return f"the API does not answer ({api.why})"
    if api.db_writable is False:
        return "the API cannot write either"
    if api.db_connected is None:
        return "the API does not say whether it reaches it"
    return "the API reaches it" if api.db_connected else "the API does not reach it either"
