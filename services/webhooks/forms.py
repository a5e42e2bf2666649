"""What a pager is sent: PagerDuty's form, which others take too, and plain JSON for everything else; pure."""

from __future__ import annotations

from typing import Any

from services.domain.notifications import Page

CLIENT = "Dragonfly ChatOps"

# https://developer.pagerduty.com/docs/events-api-v2/trigger-events/: longer ones are refused
MAX_DEDUP_KEY, MAX_SUMMARY = 255, 1024


def pagerduty_event(page: Page, *, routing_key: str) -> dict[str, Any]:
    """A trigger of the Events API v2. A repetition with the same `dedup_key` joins the open alert: no second call."""
    return {
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": page.key[:MAX_DEDUP_KEY],
        "client": CLIENT,
        "payload": {
            "summary": page.subject[:MAX_SUMMARY],
            "source": f"dragonfly-{page.environment}",
            "severity": "critical",
            "timestamp": page.at.isoformat(),
            "custom_details": {"text": page.text},
        },
    }


def plain_event(page: Page) -> dict[str, str]:
    """The same as a flat object of strings."""
    return {
        "key": page.key,
        "environment": page.environment,
        "subject": page.subject,
        "text": page.text,
        "at": page.at.isoformat(),
        "client": CLIENT,
    }
