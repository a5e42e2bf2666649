"""The requests to pagers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.clients.pagers.formats import MAX_DEDUP_KEY, MAX_SUMMARY, pagerduty_event, plain_event
from services.domain.notifications import Page, PageEvent

AT = datetime(2025, 12, 2, tzinfo=UTC)


def test_pagerduty_takes_no_more_than_its_limits() -> None:
    event = pagerduty_event(Page("k" * 300, "prod", "s" * 2000, "text", AT), routing_key="r")

    assert len(event["dedup_key"]) == MAX_DEDUP_KEY
    assert len(event["payload"]["summary"]) == MAX_SUMMARY


def test_pagerduty_gets_what_it_demands() -> None:
    event = pagerduty_event(Page("k", "prod", "PAGE", "text", AT), routing_key="r")

    assert {"routing_key", "event_action", "dedup_key"} <= set(event)
    assert {"summary", "source", "severity", "timestamp"} <= set(event["payload"])


@pytest.mark.parametrize(
    ("event", "action"), [(PageEvent.ACKNOWLEDGED, "acknowledge"), (PageEvent.RESOLVED, "resolve")]
)
def test_pagerduty_update_has_the_key_of_its_page(event: PageEvent, action: str) -> None:
    """Of an update PagerDuty reads only these three (https://developer.pagerduty.com/docs/events-api-v2/)."""
    reported = pagerduty_event(Page("k" * 300, "prod", "OVER", "text", AT, event), routing_key="r")

    assert reported == {"routing_key": "r", "event_action": action, "dedup_key": "k" * MAX_DEDUP_KEY}


@pytest.mark.parametrize("event", PageEvent)
def test_plain_form_reports_which_event_it_is(event: PageEvent) -> None:
    assert plain_event(Page("k", "prod", "s", "t", AT, event))["event"] == event.value


def test_all_pages_about_one_matter_are_one_alert() -> None:
    pages = [Page(key, "prod", "PAGE", "text", AT, alert_key="dragonfly:prod:incident:7:1764547200") for key in "ab"]

    assert {pagerduty_event(page, routing_key="r")["dedup_key"] for page in pages} == {pages[0].alert_key}
    assert [plain_event(page)["key"] for page in pages] == ["a", "b"]


def test_a_page_reports_how_bad_it_is_what_it_is_about_and_where_to_go() -> None:
    page = Page("k", "prod", "PAGE", "text", AT, severity="error", component="dragonfly-api", link="https://x/p1")

    event = pagerduty_event(page, routing_key="r")

    assert event["payload"]["severity"] == "error"
    assert event["payload"]["component"] == "dragonfly-api"
    assert event["payload"]["group"] == "prod"
    assert event["client_url"] == "https://x/p1"
    assert event["links"] == [{"href": "https://x/p1", "text": "Open the thread in Slack"}]
    assert (plain_event(page)["link"], plain_event(page)["component"]) == ("https://x/p1", "dragonfly-api")


def test_pagerduty_event_leaves_out_missing_fields() -> None:
    event = pagerduty_event(Page("k", "prod", "PAGE", "text", AT), routing_key="r")

    assert not {"client_url", "links"} & set(event)
    assert "component" not in event["payload"]
