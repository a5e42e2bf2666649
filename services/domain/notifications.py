"""What is to reach somebody outside Slack, because Slack may be muted at night."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Means(StrEnum):
    """How somebody is told. Both ring a phone, if their owner set them up so."""

    WEBHOOK = "webhook"
    EMAIL = "email"


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
    database's clock; `age_s`: seconds since it was stored, when it was read.
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


@dataclass(frozen=True)
class Page:
    """What a receiver outside gets. `key` is the same for each repetition, and no other page of any environment has it.

    `subject` is one line. Neither holds anything personal or secret: it leaves the house.
    """

    key: str
    environment: str
    subject: str
    text: str
    at: datetime
