"""Which alerts share a message, so that one cause makes one message; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.alerts.settings import Telling
from services.domain.alerts import Alert, AlertState


def share_messages(
    fired: Sequence[Alert], alerts: Sequence[Alert], *, now: datetime, telling: Telling, is_digest: bool
) -> Mapping[int, str]:
    """`{alert id: message key}` of alerts that fire now and have no message yet; `alerts` are all that are known.

    Alerts of one rule share a message when they begin within `group_within_s` of each other. In a digest, which is the
    first look after a start, all of them share one.
    """
    keys: dict[str, str] = {} if is_digest else _young_messages(alerts, now, telling)
    given: dict[int, str] = {}
    for alert in fired:
        assert alert.id is not None  # noqa: S101 - it is stored before it is told
        group = "" if is_digest else alert.rule
        given[alert.id] = keys.setdefault(group, f"alert:{alert.id}")
    return given


def _young_messages(alerts: Sequence[Alert], now: datetime, telling: Telling) -> dict[str, str]:
    """`{rule: the key of its message that was begun a moment ago}`."""
    since = now - timedelta(seconds=telling.group_within_s)
    young = [
        alert
        for alert in alerts
        if alert.state is AlertState.FIRING and alert.message_key and alert.fires == 1 and _fired(alert, since)
    ]
    return {alert.rule: alert.message_key or "" for alert in sorted(young, key=lambda one: one.id or 0, reverse=True)}


def _fired(alert: Alert, since: datetime) -> bool:
    return alert.fired_at is not None and alert.fired_at > since
