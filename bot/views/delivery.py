"""Notices on delivery: pages outside Slack, database outages, rate limiting, undeliverable messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

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
from bot.views.text import FirstLine, date_token, escape, link, mention
from services.domain.channels import Channel
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.message_origin import slash
from services.domain.notifications import Notification, NotificationState, PageEvent
from services.domain.slack_refusals import place_words
from services.domain.text import age, clock_time

PhonesOf = Callable[[Channel, str], Sequence[str]]
_BRIEF = {
    NotificationState.SENT: "✓",
    NotificationState.WAITING: "not yet",
    NotificationState.FAILED: "not reached",
    NotificationState.CANCELLED: "not needed",
}


def no_phones(channel: Channel, target: str) -> tuple[str, ...]:  # noqa: ARG001
    """The numbers to call of the people behind a target; here of no one."""
    return ()


def notified_elsewhere(
    notifications: Sequence[Notification], phones_of: PhonesOf = no_phones
) -> tuple[str, list[Block]]:
    """One line each, kept true: who was notified outside Slack, when, what became of it, and who was not, with the
    numbers to call."""
    pages = [one for one in notifications if one.event is PageEvent.TRIGGERED]
    lines = [" · ".join([_line(page), *_to_call(page, phones_of), *_later(page, notifications)]) for page in pages]
    blocks = [context("Notified outside Slack"), *sections(lines)]
    reached = sum(page.state is NotificationState.SENT for page in pages)
    return fit_message(f"Notified outside Slack: {reached} of {len(pages)}", blocks)


def notified_words(notifications: Sequence[Notification]) -> str:
    """The same in a few words for the line that names who is paged: " · pager ✓ · e-mail not yet"."""
    pages = [one for one in notifications if one.event is PageEvent.TRIGGERED]
    words = [f"{one.means.words} {_BRIEF[one.state]}" for one in pages]
    return "".join(f" · {each}" for each in dict.fromkeys(words))


def not_reached(notification: Notification, why: str, phones: Sequence[str] = ()) -> tuple[str, list[Block]]:
    """A person was not reached: people have to notice, so it is a message of its own. `phones`: numbers to call."""
    first = f"🔴 *{_target(notification)} was not reached*: {escape(why)}."
    if not phones:
        line = f"{first} Contact them another way, or escalate."
        return fit_message(line.replace("*", ""), [section(line)])
    numbers = " or ".join(escape(phone, limit=40) for phone in phones)
    text = f"{first} Call {numbers}, or escalate."
    return fit_message(text.replace("*", ""), [section(f"{first} Call {_phone_links(phones)}, or escalate.")])


def _phone_links(phones: Sequence[str]) -> str:
    return " or ".join(link(f"tel:{re.sub('[^+0-9]', '', phone)}", phone) for phone in phones)


def _to_call(page: Notification, phones_of: PhonesOf) -> list[str]:
    """The numbers of a person who is not reached so far."""
    is_reached = page.last_error is None or page.state in (NotificationState.SENT, NotificationState.CANCELLED)
    phones = () if is_reached else phones_of(page.means, page.target)
    return [f"call {_phone_links(phones)}"] if phones else []


def _line(notification: Notification) -> str:
    target_words = f"*{_target(notification)}*"
    match notification.state:
        case NotificationState.SENT:
            at = notification.ended_at or notification.created_at
            return f"🟢 {target_words} notified {date_token(at, '{time_secs}')}"
        case NotificationState.FAILED:
            return f"🔴 {target_words} not reached: {escape(notification.last_error or '')}"
        case NotificationState.CANCELLED:
            return f"⚪ {target_words} not notified: it was over before"
        case NotificationState.WAITING if notification.last_error:
            return f"🟡 {target_words} not reached yet, trying again: {escape(notification.last_error)}"
        case NotificationState.WAITING:
            return f"🟡 {target_words} is being notified"


def _later(page: Notification, notifications: Sequence[Notification]) -> Iterator[str]:
    """The pager's later events, after it rang."""
    for one in notifications:
        if one.page_key != page.key or one.event is PageEvent.TRIGGERED:
            continue
        match one.state:
            case NotificationState.SENT:
                yield f"{one.event} there {date_token(one.ended_at or one.created_at, '{time_secs}')}"
            case NotificationState.FAILED:
                yield f"🔴 never {one.event} there, it may keep ringing: {escape(one.last_error or '')}"
            case NotificationState.WAITING if one.last_error:
                yield f"🟡 not {one.event} there yet, trying again: {escape(one.last_error)}"
            case NotificationState.WAITING | NotificationState.CANCELLED:
                pass  # in a moment, or the next event says it


def _target(notification: Notification) -> str:
    return f"{escape(notification.target, limit=100)} by {notification.means.words}"


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


def rate_limited_message(at: datetime) -> tuple[str, list[Block]]:
    """What may be lost, and what works all the same."""
    line = f"🟠 Slack has been dropping events for this app since {date_token(at)}: more than 30,000 in one hour."
    what = f"Mentions and the Home tab may get no answer. `{slash('…')}` and buttons still work."
    return fit_message(f"{line} {what}", [section(line), section(what), context("Slack: `app_rate_limited`")])


def direct_message(
    text: str, blocks: Sequence[Mapping[str, Any]], *, channel: str, code: str
) -> tuple[str, list[Block]]:
    """The page itself, for one person, and why it is sent to them. `code`: Slack's word for the refusal."""
    where = f"#{escape(channel)}" if channel[:1].islower() else "its place"
    note = f"Sent to you directly, because it can't be posted to {where}: {escape(place_words(code))}."
    return fit_message(text, [context(note), *map(dict, blocks)])


def direct_answer(text: str, blocks: Sequence[Mapping[str, Any]], *, code: str | None) -> tuple[str, list[Block]]:
    """An answer for a requester where the bot can't answer. `code`: Slack's word for a refusal, or None."""
    why = f": {escape(place_words(code))}" if code else ""
    note = f"Sent to you directly, because it can't be posted where you asked{why}."
    return fit_message(text, [context(note), *map(dict, blocks)])


def pager_words(environment: str | None, code: str) -> str:
    """For the people paged because the page reached no one in Slack. Nothing of the page itself leaves Slack."""
    return (
        f"{environment or 'environment unknown'}: a page could not be posted in Slack ({code}) and reached no one there"
        "; run dragonfly check-config"
    )
