"""What is to reach somebody outside Slack, because Slack may be muted at night."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.domain.own_secrets import without_own_secrets


class Means(StrEnum):
    """How somebody is told. Both ring a phone, if their owner set them up so."""

    WEBHOOK = "webhook"
    EMAIL = "email"


class PageEvent(StrEnum):
    """What a receiver is told of a page, in this order; at most once each."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class NotificationState(StrEnum):
    """`waiting`: to be sent, or tried again; `failed`: given up; `cancelled`: it was over before it was sent."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Notification:
    """One thing to be told once. `target` is a name of the bot's environment, never an address or a secret.

    `thread_key`: the outbox message in whose thread people see what became of it. Times are the
    database's clock; `age_s`: seconds since it was stored, when it was read. `page_key`, `paged_at`: of the page that
    it is about, which it is itself when `event` is TRIGGERED.
    """

    key: str
    means: Means
    target: str
    subject: str
    text: str
    thread_key: str | None
    state: NotificationState
    attempts: int
    last_error: str | None
    created_at: datetime
    ended_at: datetime | None
    age_s: float
    event: PageEvent
    page_key: str
    paged_at: datetime


@dataclass(frozen=True)
class Page:
    """What a receiver outside gets. `key` is the same for each repetition, and no other page of any environment has it.

    With another `event` it tells what became of the page of this key. `subject` is one line. Neither holds anything
    personal or secret: it leaves the house.
    """

    key: str
    environment: str
    subject: str
    text: str
    at: datetime
    event: PageEvent = PageEvent.TRIGGERED


def redacted_page(page: Page) -> Page:
    """The page without any of our own secrets: every client asks for it before it sends."""
    return replace(page, subject=without_own_secrets(page.subject), text=without_own_secrets(page.text))
