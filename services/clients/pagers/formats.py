"""What a pager is sent: PagerDuty's form, which others take too, and plain JSON for everything else; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.domain.messages import Page, PageEvent
from services.domain.secrets import Secret

CLIENT = "Dragonfly ChatOps"
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"  # accounts in the EU: https://events.eu.pagerduty.com/v2/enqueue

# https://developer.pagerduty.com/docs/events-api-v2/trigger-events/: longer ones are refused
MAX_DEDUP_KEY, MAX_SUMMARY = 255, 1024


@dataclass(frozen=True)
class Pager:
    """Where a page goes: in PagerDuty's form (Events API v2) with a routing key, else as plain JSON."""

    url: Secret
    routing_key: Secret | None = None


_ACTIONS = {
    PageEvent.TRIGGERED: "trigger",
    PageEvent.ACKNOWLEDGED: "acknowledge",
    PageEvent.RESOLVED: "resolve",
}


def pagerduty_event(page: Page, *, routing_key: str) -> dict[str, Any]:
    """Of the Events API v2. All pages about one matter have one `dedup_key`: a second trigger joins the open alert, an
    acknowledge silences it, a resolve closes it, and neither of the two opens one.
    """
    event = {
        "routing_key": routing_key,
        "event_action": _ACTIONS[page.event],
        "dedup_key": (page.alert_key or page.key)[:MAX_DEDUP_KEY],
    }
    return event if page.event is not PageEvent.TRIGGERED else event | _trigger(page)


def plain_event(page: Page) -> dict[str, str]:
    """The same as a flat object of strings; `link` is empty where the thread's address is not known."""
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
    if page.link is not None:
        event |= {"client_url": page.link, "links": [{"href": page.link, "text": "Open the thread in Slack"}]}
    return event
