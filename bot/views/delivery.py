"""Notices on delivery: pages outside Slack, rate limiting, undeliverable messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.types import Block
from bot.views.blocks import context, fit_message, section, sections
from bot.views.text import date_token, escape, link
from services.domain.channels import Channel
from services.domain.message_origin import slash
from services.domain.notifications import Notification, NotificationState, PageEvent
from services.domain.slack_refusals import place_words

PhonesOf = Callable[[Channel, str], Sequence[str]]
_BRIEF = {
    NotificationState.SENT: "✓",
    NotificationState.WAITING: "not yet",
    NotificationState.FAILED: "not reached",
    NotificationState.CANCELLED: "not needed",
}


def no_phones(channel: Channel, target: str) -> tuple[str, ...]:  # noqa: ARG001
    """Default for `PhonesOf`: no phone numbers."""
    return ()


def notified_elsewhere(
    notifications: Sequence[Notification], phones_of: PhonesOf = no_phones
) -> tuple[str, list[Block]]:
    """The message about notifications outside Slack, edited as they change: one line per target, with time and outcome,
    and phone numbers of people who were not reached."""
    pages = [one for one in notifications if one.event is PageEvent.TRIGGERED]
    lines = [
        " · ".join([_line(page), *_to_call(page, phones_of), *_later_events(page, notifications)]) for page in pages
    ]
    blocks = [context("Notified outside Slack"), *sections(lines)]
    reached = sum(page.state is NotificationState.SENT for page in pages)
    return fit_message(f"Notified outside Slack: {reached} of {len(pages)}", blocks)


def notified_words(notifications: Sequence[Notification]) -> str:
    """Short form for the line with the paged people: " · pager ✓ · e-mail not yet"."""
    pages = [one for one in notifications if one.event is PageEvent.TRIGGERED]
    words = [f"{one.means.words} {_BRIEF[one.state]}" for one in pages]
    return "".join(f" · {each}" for each in dict.fromkeys(words))


def not_reached(notification: Notification, why: str, phones: Sequence[str] = ()) -> tuple[str, list[Block]]:
    """A separate message, so that people notice that a person was not reached. `phones`: numbers to call."""
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
    """The phone numbers of a person who has not been reached yet."""
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


def _later_events(page: Notification, notifications: Sequence[Notification]) -> Iterator[str]:
    """The later events of a page: its acknowledgement and resolution at the pager."""
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
                pass  # due in a moment, or the next event shows it


def _target(notification: Notification) -> str:
    return f"{escape(notification.target, limit=100)} by {notification.means.words}"


def dropped_events_message(at: datetime) -> tuple[str, list[Block]]:
    """Message on dropped events: what may be lost, and what still works."""
    line = f"🟠 Slack has been dropping events for this app since {date_token(at)}: more than 30,000 in one hour."
    what = f"Mentions and the Home tab may get no answer. `{slash('…')}` and buttons still work."
    return fit_message(f"{line} {what}", [section(line), section(what), context("Slack: `app_rate_limited`")])


def direct_message(
    text: str, blocks: Sequence[Mapping[str, Any]], *, channel: str, code: str
) -> tuple[str, list[Block]]:
    """A page as a direct message, with the reason for it. `code`: Slack's error code of the refusal."""
    where = f"#{escape(channel)}" if channel[:1].islower() else "its place"
    note = f"Sent to you directly, because it can't be posted to {where}: {escape(place_words(code))}."
    return fit_message(text, [context(note), *map(dict, blocks)])


def direct_answer(text: str, blocks: Sequence[Mapping[str, Any]], *, code: str | None) -> tuple[str, list[Block]]:
    """An answer as a direct message, if it can't be posted. `code`: Slack's error code of a refusal, or None."""
    why = f": {escape(place_words(code))}" if code else ""
    note = f"Sent to you directly, because it can't be posted where you asked{why}."
    return fit_message(text, [context(note), *map(dict, blocks)])


def pager_words(environment: str | None, code: str) -> str:
    """Text for pagers if a page reached no one in Slack. The page's own text does not leave Slack."""
    return (
        f"{environment or 'environment unknown'}: a page could not be posted in Slack ({code}) and reached no one there"
        "; run dragonfly check-config"
    )
