"""Decisions on a notification that was not delivered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.delivery.decide import GIVE_UP_AFTER, GiveUp, TryAgain, after_failure, page_of
from services.domain.channels import Channel
from services.domain.errors import SourceError
from services.domain.notifications import Notification, NotificationState, PageEvent

AT = datetime(2025, 12, 2, tzinfo=UTC)
LOST = SourceError("pager", "no answer", retryable=True)


def notification(**changes: Any) -> Notification:
    given: dict[str, Any] = {
        "key": "incident:1:1",
        "means": Channel.WEBHOOK,
        "target": "ann",
        "subject": "PAGE",
        "text": "x",
        "thread_key": None,
        "state": NotificationState.WAITING,
        "attempts": 0,
        "last_error": None,
        "created_at": AT,
        "ended_at": None,
        "age_s": 0.0,
        "event": PageEvent.TRIGGERED,
    }
    given |= changes
    itself = {"page_key": given["key"], "paged_at": given["created_at"]}
    return Notification(**itself | given)


@pytest.mark.parametrize(("attempts", "pause_s"), [(0, 1), (1, 2), (5, 32), (6, 60), (50, 60)])
def test_pauses_grow_up_to_a_minute(attempts: int, pause_s: int) -> None:
    assert after_failure(notification(attempts=attempts), LOST) == TryAgain("no answer", timedelta(seconds=pause_s))


def test_notification_is_given_up_at_once_when_a_retry_cannot_help() -> None:
    assert after_failure(notification(), SourceError("pager", "refused (404)")) == GiveUp("refused (404)")


@pytest.mark.parametrize(("before_s", "kind"), [(1.0, TryAgain), (0.9, GiveUp)])
def test_no_try_is_planned_past_the_deadline(before_s: float, kind: type) -> None:
    age_s = GIVE_UP_AFTER.total_seconds() - before_s

    assert isinstance(after_failure(notification(age_s=age_s), LOST), kind)


def test_key_differs_between_environments_and_between_lives_of_a_database() -> None:
    first = page_of(notification(), "prod")

    assert page_of(notification(), "prod") == first
    assert page_of(notification(), "staging").key != first.key
    assert page_of(notification(created_at=AT + timedelta(days=1)), "prod").key != first.key


def test_resolution_carries_the_key_of_its_page() -> None:
    page = notification()
    over = notification(
        key="incident:1:1:resolved",
        event=PageEvent.RESOLVED,
        page_key=page.key,
        paged_at=AT,
        created_at=AT + timedelta(hours=1),
    )

    assert page_of(over, "prod").key == page_of(page, "prod").key
    assert page_of(over, "prod").event is PageEvent.RESOLVED
