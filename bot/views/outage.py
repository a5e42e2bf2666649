"""Messages while the bot can't reach or write to the database, and after that."""

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
OUTAGE_ACKNOWLEDGED = "You're assigned. No one else will be paged."  # for the person who acknowledged


@dataclass(frozen=True)
class AwayLine:
    """The outage in parts: environment, problem, the error that the bot got, and the API's report."""

    place: str
    what: str
    problem: str
    api: str

    @property
    def text(self) -> str:
        """One line of plain text, for pagers and e-mails."""
        return f"{self.place} · {self.what} ({self.problem}) · {self.api}"


def away_line(
    environment: str | None, problem: str, api: ApiHealth | Unavailable, *, refuses_writes: bool = False
) -> AwayLine:
    """Make the parts of an outage. `refuses_writes`: the database answers but accepts no writes."""
    return AwayLine(environment or "environment unknown", _problem_words(api, refuses_writes), problem, _api(api))


def _problem_words(api: ApiHealth | Unavailable, refuses_writes: bool) -> str:
    if refuses_writes:
        return "the database accepts no writes"
    is_away_for_all = isinstance(api, ApiHealth) and api.db_connected is False
    return "the database does not answer" if is_away_for_all else "the bot can't reach the database"


def away_details(since: datetime) -> str:
    """Text for pagers and e-mails below the first line."""
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
    """The message during an outage. `wakes`: the database seems down for all processes, so this is a page. `paged`:
    Slack ids that are paged first.

    links: `{label: address}` of status pages and logs. acknowledged_by: the owner; then no one else is paged.
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
    """Thread note: the next level is paged, in Slack by these mentions. `skipped`: targets that are not paged."""
    mentioned = " ".join(map(mention, mentions))
    line = f"📟 {mentioned} *Level {number}* ({escape(name, limit=200)}) is paged: not acknowledged yet"
    notes = [f"⚠️ {escape(words, limit=200)}: not paged" for words in skipped]
    return fit_message(line, [section(line), *([context(*notes)] if notes else [])])


def acknowledged_note(user_id: str) -> Content:
    """Thread note: the person who acknowledged."""
    line = f"🟡 {mention(user_id)} acknowledged it. No one else will be paged."
    return fit_message(line, [section(line)])


def back_words(*, refused_writes: bool = False) -> str:
    """A clause that says that the outage is over."""
    return "the database accepts writes again" if refused_writes else "the bot reaches the database again"


def back(
    environment: str | None,
    *,
    since: datetime,
    at: datetime,
    refused_writes: bool = False,
    notified: Sequence[Notification] = (),
) -> Content:
    """The outage's message after its end. `notified`: notifications outside Slack."""
    line = f"{escape(environment or 'environment unknown')} · {back_words(refused_writes=refused_writes)}"
    blocks = [
        section(f"🟢 *Back* {line}"),
        context(f"down for {age(at - since)}, from {date_token(since)} to {date_token(at)}{notified_words(notified)}"),
    ]
    return fit_message(f"🟢 Back {line}", blocks)


def back_note(*, since: datetime, at: datetime) -> Content:
    """Thread note that the outage is over, because an edit notifies no one."""
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
