"""Messages that are to be said in Slack."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class UnsentMessage:
    """One message that Slack does not show yet, or not in this version.

    `channel` is an id once Slack took it, before that whatever was configured. `ts` is None until it was posted;
    `posting_since` then tells that a post may have got through. `wait_s`: seconds until it may be tried.
    """

    key: str
    channel: str
    thread_ts: str | None
    text: str
    blocks: list[dict[str, Any]]
    version: int
    ts: str | None
    posting_since: datetime | None
    attempts: int
    wait_s: float


@dataclass(frozen=True)
class OutboxDepth:
    """How much is waiting; `oldest_s` is 0 when nothing is."""

    unsent: int
    oldest_s: float
