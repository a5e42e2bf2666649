"""Messages that are to be said in Slack."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

PAGE = 10  # from this priority on somebody is to be woken


class Lane(StrEnum):
    """What is sent side by side: a page that Slack has never seen waits for nothing but other pages."""

    PAGES = "pages"
    REST = "rest"


@dataclass(frozen=True)
class UnsentMessage:
    """One message that Slack does not show yet, or not in this version.

    `channel` is an id once Slack took it, before that whatever was configured. `ts` is None until it was posted;
    `posting_since` then tells that a post may have got through; with `is_withdrawn` that is all that is of interest.
    `home` is the channel as it was configured.
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
    priority: int
    is_withdrawn: bool = False
    home: str = ""

    @property
    def is_new_page(self) -> bool:
        """Whether somebody is to be woken by it who was not yet."""
        return self.ts is None and self.priority >= PAGE and not self.is_withdrawn


@dataclass(frozen=True)
class RefusedMessage:
    """One message that left the queue because Slack refused it for good. `error`: what was refused, in our words."""

    key: str
    channel: str
    priority: int
    error: str
    refused_at: datetime
