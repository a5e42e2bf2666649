"""What becomes of a notification that did not get through; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.outbox.decide import retry_after
from services.domain.errors import SourceError
from services.domain.notifications import Notification, Page
from services.domain.outbox import message_link
from services.domain.words import age

GIVE_UP_AFTER = timedelta(
    minutes=15
)  # by then the next level has long been told, and the thread has to say who was not


@dataclass(frozen=True)
class TryAgain:
    """Not through, for now."""

    why: str
    pause: timedelta


@dataclass(frozen=True)
class GiveUp:
    """It never will be."""

    why: str


def after_failure(notification: Notification, error: SourceError) -> TryAgain | GiveUp:
    """Whatever a repetition can help is repeated, with growing pauses, until the deadline."""
    if not error.retryable:
        return GiveUp(error.why)
    pause = retry_after(notification.attempts + 1)
    if timedelta(seconds=notification.age_s) + pause > GIVE_UP_AFTER:
        return GiveUp(f"{error.why}, tried for {age(timedelta(seconds=notification.age_s))}")
    return TryAgain(error.why, pause)


def page_of(notification: Notification, environment: str | None, *, workspace_url: str | None = None) -> Page:
    """What is handed over. Its key is the same at each try, and unique across environments and emptied databases.

    `workspace_url`: of our Slack workspace, as Slack tells it; without it the page carries no link.
    """
    place = environment or "unknown"
    return Page(
        key=f"dragonfly:{place}:{notification.page_key}:{notification.paged_at.timestamp():.0f}",
        environment=place,
        subject=notification.subject,
        text=notification.text,
        at=notification.created_at,
        event=notification.event,
        alert_key=f"dragonfly:{place}:{notification.alert_key}" if notification.alert_key else "",
        severity=notification.details.get("severity", "critical"),
        component=notification.details.get("component", ""),
        link=message_link(
            workspace_url, notification.root_channel, notification.root_ts, thread_ts=notification.root_thread_ts
        ),
    )
