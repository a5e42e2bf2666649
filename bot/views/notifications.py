"""What was sent outside Slack, told in the thread of what it was about."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Block
from bot.views.blocks import context, section, sections
from bot.views.message import fit_message
from bot.views.text import date_token, escape
from services.domain.notifications import Means, Notification, NotificationState

MEANS_WORDS = {Means.WEBHOOK: "pager", Means.EMAIL: "e-mail"}


def told_elsewhere(notifications: Sequence[Notification]) -> tuple[str, list[Block]]:
    """One line each, kept true: who was told outside Slack, when, and who was not."""
    lines = [_line(notification) for notification in notifications]
    blocks = [context("Told outside Slack"), *sections(lines)]
    reached = sum(notification.state is NotificationState.SENT for notification in notifications)
    return fit_message(f"Told outside Slack: {reached} of {len(notifications)}", blocks)


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


def _whom(notification: Notification) -> str:
    return f"{escape(notification.target, limit=100)} by {MEANS_WORDS[notification.means]}"
