"""Alive, connected, able to act: three different things."""

from __future__ import annotations

import pytest

from bot.config.fields import Fault
from bot.web.metrics import Health


def health(*, connections: int = 2, database: str | None = None) -> Health:
    faults = (Fault("RAILWAY_TOKEN", "is not set", "make one"),)
    return Health(connections, 2, database, leader=True, disabled=faults)


@pytest.mark.parametrize(
    ("connections", "database", "expected"),
    [
        (2, None, ("ok", 200)),
        (1, None, ("ok", 200)),
        (0, None, ("disconnected", 503)),
        (2, "server not reachable", ("degraded", 503)),
        (0, "server not reachable", ("disconnected", 503)),
    ],
)
def test_status_reports_what_works(connections: int, database: str | None, expected: tuple[str, int]) -> None:
    now = health(connections=connections, database=database)

    assert (now.as_json()["status"], now.http_status) == expected


def test_missing_settings_are_counted_and_not_unhealthy() -> None:
    assert health().as_json()["disabled_settings"] == 1
    assert "RAILWAY_TOKEN" not in str(health().as_json())
    assert health().http_status == 200
