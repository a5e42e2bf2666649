"""The body of a page: PagerDuty's format, which other pagers accept too, or plain JSON; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from services.domain.notifications import Page, PageEvent
from services.domain.secrets import Secret

CLIENT = "Dragonfly ChatOps"
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"  # accounts in the EU: https://events.eu.pagerduty.com/v2/enqueue

# Characters; PagerDuty refuses longer ones: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
MAX_DEDUP_KEY, MAX_SUMMARY = 255, 1024


class PagerKind(Protocol):
    """A pager that is called over HTTPS: its address and the body of its calls. One class per kind."""

    @property
    def url(self) -> Secret: ...

    def event(self, page: Page) -> Mapping[str, Any]:
        """The body of the call, as JSON. Pages with the same `alert_key` are one alert in pagers that group them."""


@dataclass(frozen=True)
class Pager:
    """A pager that takes PagerDuty's format (Events API v2) if it has a routing key, else plain JSON."""

    url: Secret
    routing_key: Secret | None = None

    def event(self, page: Page) -> Mapping[str, Any]:
        if self.routing_key is not None:
            return pagerduty_event(page, routing_key=self.routing_key.reveal())
        return plain_event(page)


_ACTIONS = {
    PageEvent.TRIGGERED: "trigger",
    PageEvent.ACKNOWLEDGED: "acknowledge",
    PageEvent.RESOLVED: "resolve",
}


def pagerduty_event(page: Page, *, routing_key: str) -> dict[str, Any]:
    """An event of PagerDuty's Events API v2. All pages about one alert have the same `dedup_key`.

    A second trigger joins the open alert, an acknowledge silences it, a resolve closes it; neither of the two opens
    one.
    """
    event = {
        "routing_key": routing_key,
        "event_action": _ACTIONS[page.event],
        "dedup_key": (page.alert_key or page.key)[:MAX_DEDUP_KEY],
    }
    return event if page.event is not PageEvent.TRIGGERED else event | _trigger(page)


def plain_event(page: Page) -> dict[str, str]:
    """The page as a flat object of strings; an address that is not known is empty."""
    return {
        "event": page.event,
        "key": page.key,
        "environment": page.environment,
        "subject": page.subject,
        "text": page.text,
        "at": page.at.isoformat(),
        "client": CLIENT,
        "alert_key": page.alert_key or page.key,
        "severity": page.severity,
        "component": page.component,
        "link": page.link or "",
        "runbook": page.runbook or "",
        "acknowledge": page.answer or "",
    }


def _trigger(page: Page) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "summary": page.subject[:MAX_SUMMARY],
        "source": f"dragonfly-{page.environment}",
        "severity": page.severity,
        "timestamp": page.at.isoformat(),
        "group": page.environment,
        "custom_details": {"text": page.text},
    }
    if page.component:
        payload["component"] = page.component
    event: dict[str, Any] = {"client": CLIENT, "payload": payload}
    # Everyone with access to the pager reads its alerts, so the one-time link, which is for one person, is left out.
    shown = {"Open the thread in Slack": page.link, "Runbook": page.runbook}
    links = [{"href": address, "text": words} for words, address in shown.items() if address is not None]
    if page.link is not None:
        event["client_url"] = page.link
    return event | ({"links": links} if links else {})
