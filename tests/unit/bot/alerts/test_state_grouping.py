"""Grouping: alerts with one cause share one message."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.alerts.state import share_messages
from services.domain.alerts import Alert, AlertState
from tests.unit.bot.alerts.builders import ANNOUNCING, NOW, ago, alert


def fired(number: int, rule: str = "heartbeats", subject: str = "ingest") -> Alert:
    return alert(id=number, rule=rule, fingerprint=f"{rule}.{subject}", fired_at=NOW, message_key=None)


def share(*alerts: Alert, known: tuple[Alert, ...] = (), is_digest: bool = False) -> dict[int, str]:
    return dict(share_messages(alerts, known, now=NOW, telling=ANNOUNCING, is_digest=is_digest))


def test_alerts_of_one_rule_share_a_message() -> None:
    assert share(fired(8), fired(9, subject="enforcement")) == {8: "alert:8", 9: "alert:8"}


def test_alerts_of_different_rules_have_their_own_messages() -> None:
    assert share(fired(8), fired(9, rule="sha")) == {8: "alert:8", 9: "alert:9"}


def test_first_evaluation_after_a_start_is_one_digest() -> None:
    assert share(fired(8), fired(9, rule="sha"), is_digest=True) == {8: "alert:8", 9: "alert:8"}


@pytest.mark.parametrize(
    ("begun_s", "key"), [(ANNOUNCING.group_within_s - 1, "alert:7"), (ANNOUNCING.group_within_s, "alert:8")]
)
def test_an_alert_that_begins_soon_after_joins_the_message(begun_s: float, key: str) -> None:
    assert share(fired(8, subject="enforcement"), known=(alert(fired_at=ago(begun_s)),)) == {8: key}


@pytest.mark.parametrize(
    "more", [{"state": AlertState.RESOLVED, "resolved_at": NOW}, {"fires": 2}, {"message_key": None}]
)
def test_a_message_that_is_over_old_or_not_there_is_not_joined(more: dict[str, object]) -> None:
    known = replace(alert(fired_at=ago(1)), **more)  # type: ignore[arg-type]

    assert share(fired(8, subject="enforcement"), known=(known,)) == {8: "alert:8"}
