"""What a pager is sent."""

from __future__ import annotations

from datetime import UTC, datetime

from services.domain.notifications import Page
from services.webhooks.forms import MAX_DEDUP_KEY, MAX_SUMMARY, pagerduty_event

AT = datetime(2025, 12, 2, tzinfo=UTC)


def test_pagerduty_takes_no_more_than_its_limits() -> None:
    event = pagerduty_event(Page("k" * 300, "prod", "s" * 2000, "text", AT), routing_key="r")

    assert len(event["dedup_key"]) == MAX_DEDUP_KEY
    assert len(event["payload"]["summary"]) == MAX_SUMMARY


def test_pagerduty_gets_what_it_demands() -> None:
    event = pagerduty_event(Page("k", "prod", "PAGE", "text", AT), routing_key="r")

    assert {"routing_key", "event_action", "dedup_key"} <= set(event)
    assert {"summary", "source", "severity", "timestamp"} <= set(event["payload"])
