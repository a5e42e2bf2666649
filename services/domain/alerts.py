"""Alerts: trouble that lasts, as told to people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
