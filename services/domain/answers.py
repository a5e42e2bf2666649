"""Answers that arrive from outside Slack: through one-time links in pages, and as events of a pager."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.domain.channels import Channel

LINK_LASTS = timedelta(hours=4)  # a later round of pages has its own links
_PAGE_KEY = re.compile(r"incident:(\d+):page:(\d+):")


@dataclass(frozen=True)
class PageLink:
    """The page that a one-time link belongs to. `target`: a target's name in the bot's environment; `age_s`: seconds
    since the page. `root_channel`, `root_ts`: the incident's root message in Slack, None until it is posted."""

    incident_id: int
    page_number: int
    channel: Channel
    target: str
    age_s: float
    is_used: bool
    root_channel: str | None = None
    root_ts: str | None = None

    @property
    def is_expired(self) -> bool:
        return timedelta(seconds=self.age_s) > LINK_LASTS


def has_link(key: str) -> bool:
    """True if the notification with this key pages people for an incident, so that a link can answer it."""
    return _PAGE_KEY.match(key) is not None


def page_of_key(key: str) -> tuple[int, int] | None:
    """`(incident id, page number)` of a page's key; None for any other notification."""
    found = _PAGE_KEY.match(key)
    return None if found is None else (int(found[1]), int(found[2]))


class PagerAction(StrEnum):
    """An action on an alert at the pager. The values are stored."""

    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    REASSIGNED = "reassigned"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class PagerUser:
    """A person as the pager names them."""

    id: str
    name: str


@dataclass(frozen=True)
class PagerEvent:
    """One event of a pager. `alert_key`: the key that the page was sent with. `at`: by the pager's clock. `by`: None if
    no person caused it, such as a timeout, or our own API call. `assignee`: the person who has the alert now."""

    id: str
    action: PagerAction
    alert_key: str
    at: datetime
    by: PagerUser | None = None
    assignee: PagerUser | None = None


@dataclass(frozen=True)
class PagerHistory:
    """The state that a new pager event is compared with. `newest_at`: the time of the incident's newest event so far,
    by the pager's clock. `owner`: the user id that the pager assigned last. `reopened_at`: when the incident last paged
    people again."""

    newest_at: datetime | None
    owner: str | None
    reopened_at: datetime | None
