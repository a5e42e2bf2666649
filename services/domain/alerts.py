"""Alerts: trouble that lasts, as told to people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.domain.services import Service


class Severity(StrEnum):
    """`page`: somebody is woken up for it; `notify`: the channel is told, and it can wait for the day."""

    PAGE = "page"
    NOTIFY = "notify"


class AlertChange(StrEnum):
    """What became of an alert: people were told for the first time, in other words, or that it is over."""

    FIRED = "fired"
    CHANGED = "changed"
    RESOLVED = "resolved"


class AlertState(StrEnum):
    """`pending`: seen, but it may pass; `firing`: people were told; `resolved`: it is over."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class OpenAlert:
    """An alert that is not resolved. `summary` is what its message says now. Times are the database's clock."""

    id: int
    fingerprint: str
    state: AlertState
    since: datetime
    fired_at: datetime | None
    summary: str
    message_key: str | None


@dataclass(frozen=True)
class AlertEvent:
    """What happened to an alert, for those who act on it: incidents, pagers.

    `line` is the page line of DESIGN §6 as plain text that nobody escaped yet. `at` is the database's clock.
    `message_key` is the outbox key of the alert's message, whose thread is where people talk about it.
    """

    alert_id: int
    fingerprint: str
    change: AlertChange
    severity: Severity
    service: Service | None
    title: str
    line: str
    at: datetime
    message_key: str
