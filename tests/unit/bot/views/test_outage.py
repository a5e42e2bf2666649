"""The messages about a database outage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.outage.levels import wakes_people
from bot.views.outage import away, away_line, back
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.sandbox.slack.limits import violations

AT = datetime(2025, 12, 2, 3, 4, 5, tzinfo=UTC)
SILENT = Unavailable("API", "no answer within 5 s")


def health(*, db_connected: bool) -> ApiHealth:
    return ApiHealth(200 if db_connected else 503, "ok", "prod", "a1b2c3d4", db_connected, AT, 3.0)


@pytest.mark.parametrize(("api", "wakes"), [(SILENT, True), (health(db_connected=False), True)])
def test_people_are_woken_unless_the_api_reaches_it(api: ApiHealth | Unavailable, wakes: bool) -> None:
    assert wakes_people(api) is wakes
    assert not wakes_people(health(db_connected=True))


def test_a_database_that_takes_no_writes_wakes_people_unless_the_api_can_write() -> None:
    fine = health(db_connected=True)
    refused = replace(fine, http_status=503, status="degraded", db_writable=False)

    assert wakes_people(SILENT, refuses_writes=True)
    assert wakes_people(refused, refuses_writes=True)
    assert not wakes_people(fine, refuses_writes=True)

    line = away_line("prod", "the disk is full", refused, refuses_writes=True)

    assert "no writes" in line.what
    assert "can't write" in line.api


def test_first_line_reports_what_each_signal_reports() -> None:
    line = away_line("prod", "no answer within 3.5 s", SILENT)

    assert line.text == f"prod · {line.what} (no answer within 3.5 s) · {line.api}"
    assert "the bot" in line.what
    assert SILENT.why in line.api


def test_first_line_blames_the_database_when_the_api_can_not_reach_it_either() -> None:
    line = away_line("prod", "server not reachable", replace(health(db_connected=True), db_connected=False))

    assert "not answer" in line.what
    assert "the bot" not in line.what
    assert "reach it" in line.api
    assert "the bot" in away_line("prod", "x", health(db_connected=True)).what


def test_message_escapes_what_the_api_reported() -> None:
    text, blocks = away(away_line(None, "x", Unavailable("API", "<!channel>")), wakes=True, since=AT)

    assert "<!channel>" not in text
    assert violations({"text": text, "blocks": blocks}, surface="message", method="chat.postMessage") == []


def test_back_reports_for_how_long() -> None:
    _, blocks = back("prod", since=AT, at=AT + timedelta(minutes=11))

    assert "down for 11 min" in str(blocks)
