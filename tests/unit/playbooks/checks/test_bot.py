"""The checks of the bot itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from playbooks.checks.bot import Facts, check
from playbooks.model import Status
from services.domain.health import BotState

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
STATE = BotState("a1b2c3d4", NOW - timedelta(hours=3), connected=True, leader=True)


def test_a_connected_bot_reports_commit_uptime_and_role() -> None:
    [finding] = check(Facts(STATE, NOW))

    assert finding.status is Status.OK
    assert finding.detail == "SHA a1b2c3d4, up 3 h, leader"


def test_a_bot_without_slack_is_wrong() -> None:
    [finding] = check(Facts(replace(STATE, connected=False), NOW))

    assert finding.status is Status.FAIL


def test_a_follower_is_fine_and_the_terminal_has_no_bot() -> None:
    [finding] = check(Facts(replace(STATE, leader=False), NOW))

    assert finding.status is Status.OK
    assert check(Facts(None, NOW)) == []


def test_terminal_reports_that_no_bot_runs_and_what_is_missing_without_it() -> None:
    [finding] = check(Facts(None, NOW, absence=timedelta(minutes=12)))

    assert (finding.check, finding.status, finding.evidence) == ("bot.self", Status.FAIL, {"idle_s": 720})
    assert "12 min" in finding.title
    assert "docs/bot-down.md" in finding.detail


def test_an_incidents_channel_that_takes_nothing_is_wrong_and_comes_first() -> None:
    found = check(Facts(replace(STATE, channel_problem="it is archived"), NOW))

    assert [(finding.check, finding.status) for finding in found] == [
        ("bot.channel", Status.FAIL),
        ("bot.self", Status.OK),
    ]
    assert found[0].title.endswith(": it is archived")


def test_terminal_reports_the_incidents_channel_that_takes_no_messages() -> None:
    [finding] = check(Facts(None, NOW, "the channel is archived"))

    assert (finding.check, finding.status) == ("bot.channel", Status.FAIL)
