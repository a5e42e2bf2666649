"""Notifications outside Slack, and the pages that they carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from services.domain.channels import Channel
from services.domain.secrets import without_own_secrets


class PageEvent(StrEnum):
    """The events of a page that a receiver gets, in this order; each at most once."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class NotificationState(StrEnum):
    """`waiting`: to be sent or retried; `failed`: given up; `cancelled`: its page was over before it was sent."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Notification:
    """One notification. `target` is a name of the bot's environment, never an address or a secret.

    `thread_key`: the outbox message in whose thread people see the result. Times are the database's clock; `age_s`:
    seconds since it was stored, when it was read. `page_key`, `paged_at`: of the page that it is about, which is the
    notification itself if `event` is TRIGGERED. `alert_key`: the same for all pages that are one alert of the receiver;
    None in rows of former versions. `details`: severity, component and runbook. `root_channel`, `root_ts`: the message
    of `thread_key` in Slack, None until it is posted; `root_thread_ts`: the thread that it is a reply in.
    """

    key: str
    means: Channel
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
    alert_key: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    root_channel: str | None = None
    root_ts: str | None = None
    root_thread_ts: str | None = None
    link_token: str | None = None  # of its one-time link, if it has one and is about to be sent


@dataclass(frozen=True)
class Page:
    """A page as a receiver outside Slack gets it. `key` is the same for each repetition, and unique among the pages of
    all environments.

    With another `event` it reports the outcome of the page with this key. `subject` is one line. Neither holds anything
    personal or secret: both go to another company. `alert_key`: the same for all pages that are one alert of the
    receiver. `severity` is one of PagerDuty's words; `component` a service, empty if no single one is affected; `link`
    the address of the thread in Slack, `runbook` that of the runbook's section, None if they are not known. `answer`: a
    one-time link by which the receiver acknowledges the incident.
    """

    key: str
    environment: str
    subject: str
    text: str
    at: datetime
    event: PageEvent = PageEvent.TRIGGERED
    alert_key: str = ""
    severity: str = "critical"
    component: str = ""
    link: str | None = None
    runbook: str | None = None
    answer: str | None = None

    @property
    def links(self) -> dict[str, str]:
        """`{label: address}`, the acknowledgement first."""
        found = {"Acknowledge": self.answer, "Open the thread": self.link, "Runbook": self.runbook}
        return {words: address for words, address in found.items() if address is not None}


def redacted_page(page: Page) -> Page:
    """The page without any of our own secrets; every client calls this before it sends."""
    return replace(page, subject=without_own_secrets(page.subject), text=without_own_secrets(page.text))
