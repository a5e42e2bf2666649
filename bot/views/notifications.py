"""What was sent outside Slack, told in the thread of what it was about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.commands._contract import Block
from bot.views.blocks import context, section, sections
from bot.views.message import fit_message
from bot.views.text import date_token, escape
from services.domain.notifications import Means, Notification, NotificationState, PageEvent

_BRIEF = {
    NotificationState.SENT: "✓",
    NotificationState.WAITING: "not yet",
    NotificationState.FAILED: "not reached",
    NotificationState.CANCELLED: "not needed",
}
MEANS_WORDS = {Means.WEBHOOK: "pager", Means.EMAIL: "e-mail"}


def told_elsewhere(notifications: Sequence[Notification]) -> tuple[str, list[Block]]:
    """One line each, kept true: who was told outside Slack, when, what became of it there, and who was not told."""
    pages = [one for one in notifications if one.event is PageEvent.TRIGGERED]
    lines = [" · ".join([_line(page), *_later(page, notifications)]) for page in pages]
    blocks = [context("Told outside Slack"), *sections(lines)]
    reached = sum(page.state is NotificationState.SENT for page in pages)
    return fit_message(f"Told outside Slack: {reached} of {len(pages)}", blocks)


def told_words(notifications: Sequence[Notification]) -> str:
    """The same in a few words for the line that says who is called: " · pager ✓ · e-mail not yet"."""
    pages = [one for one in notifications if one.event is PageEvent.TRIGGERED]
    words = [f"{MEANS_WORDS[one.means]} {_BRIEF[one.state]}" for one in pages]
    return "".join(f" · {each}" for each in dict.fromkeys(words))


def not_reached(notification: Notification, why: str) -> tuple[str, list[Block]]:
    """Somebody will not be told: people have to notice, so it is a message of its own."""
    line = f"🔴 *{_whom(notification)} was not reached*: {escape(why)}. Tell them another way, or escalate."
    return fit_message(line.replace("*", ""), [section(line)])


def _line(notification: Notification) -> str:
    whom = f"*{_whom(notification)}*"
    match notification.state:
        case NotificationState.SENT:
            at = notification.ended_at or notification.created_at
            return f"🟢 {whom} told {date_token(at, '{time_secs}')}"
        case NotificationState.FAILED:
            return f"🔴 {whom} never reached: {escape(notification.last_error or '')}"
        case NotificationState.CANCELLED:
            return f"⚪ {whom} not told, it was over before"
        case NotificationState.WAITING if notification.last_error:
            return f"🟡 {whom} not reached yet, trying again: {escape(notification.last_error)}"
        case NotificationState.WAITING:
            return f"🟡 {whom} about to be told"


def _later(page: Notification, notifications: Sequence[Notification]) -> Iterator[str]:
    """What the pager was told after it rang."""
    for one in notifications:
        if one.page_key != page.key or one.event is PageEvent.TRIGGERED:
            continue
        match one.state:
            case NotificationState.SENT:
                yield f"{one.event} there {date_token(one.ended_at or one.created_at, '{time_secs}')}"
            case NotificationState.FAILED:
                yield f"🔴 never {one.event} there, it may ring on: {escape(one.last_error or '')}"
            case NotificationState.WAITING if one.last_error:
                yield f"🟡 not {one.event} there yet, trying again: {escape(one.last_error)}"
            case NotificationState.WAITING | NotificationState.CANCELLED:
                pass  # in a moment, or the next event says it


def _whom(notification: Notification) -> str:
    return f"{escape(notification.target, limit=100)} by {MEANS_WORDS[notification.means]}"
