"""Starting with something missing, and stopping in order."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bot.app import Bot
from bot.config.environment import Settings
from bot.config.timing import LeaseSettings
from services.domain.errors import OperatorError
from services.sandbox.slack.faults import FaultKind
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack, StartBot
from tests.outside import QUIET_S, until


async def test_two_connections_survive_a_refresh(bot: Bot, slack: Slack) -> None:
    assert slack.workspace.sockets.count == 2

    await slack.workspace.sockets.refresh(only_one=True)
    await slack.type("/dragonfly queue")

    await slack.wait_for()
    assert (await bot.health()).connected


@pytest.mark.parametrize("line", ["health", "deployments ingest"])
async def test_answers_without_a_database(start_bot: StartBot, slack: Slack, line: str) -> None:
    bot = await start_bot("postgresql://nobody:wrong@127.0.0.1:9/none")

    await slack.type(f"/dragonfly {line}")

    await slack.wait_for(lambda message: "could not" not in message.text)
    health = await bot.health()
    assert (health.connected, health.able_to_act, health.http_status) == (True, False, 503)


async def test_missing_settings_are_reported_once_in_the_channel(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls
) -> None:
    for _ in range(2):
        await start_bot(database_urls.bot, RAILWAY_TOKEN="")

    reported = await slack.wait_for(lambda message: "RAILWAY_TOKEN" in message.text)
    await asyncio.sleep(4 * QUIET_S)  # the other bot has had time to report it too

    assert reported.visible_to is None
    assert len(slack.seen()) == 1


async def test_policy_that_cannot_be_used_is_reported_in_the_channel(
    slack: Slack, start_bot: StartBot, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('version = 1\n[[allow]]\nmay = "request"\nwho = ["olivia"]\n')

    bot = await start_bot(database_urls.bot, DRAGONFLY_POLICY=str(path))

    reported = await slack.wait_for(lambda message: "policy.toml line 4" in f"{message.text}{message.blocks}")
    assert "which is not a Slack id" in str(reported.blocks)
    assert any("line 4" in str(fault) for fault in (await bot.health()).disabled)


async def test_limits_that_cannot_be_used_are_reported_and_check_config_names_the_line(
    slack: Slack, start_bot: StartBot, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    path = tmp_path / "alerts.toml"
    path.write_text("version = 1\n[rules.backlog]\npage_afer_s = 60\n")

    await start_bot(database_urls.bot, DRAGONFLY_ALERTS=str(path))

    reported = await slack.wait_for(lambda message: "alerts.toml line 3" in f"{message.text}{message.blocks}")
    assert "is not a setting of the alerts" in str(reported.blocks)
    await slack.type("/dragonfly check-config")
    answer = await slack.wait_for(lambda message: "rules settings cannot" in str(message.blocks))
    assert "alerts.toml line 3" in str(answer.blocks)


async def test_missing_settings_are_reported_once_without_a_database(start_bot: StartBot, slack: Slack) -> None:
    for _ in range(2):
        await start_bot(None)

    assert len([message for message in slack.seen() if "SUPABASE_DB_URL" in message.text]) == 1


async def test_waits_for_slack(start_bot: StartBot, slack: Slack) -> None:
    slack.workspace.faults.plant("auth.test", FaultKind.SERVER_ERROR)

    bot = await start_bot(None)

    assert (await bot.health()).connected


async def test_slack_tokens_are_needed() -> None:
    with pytest.raises(OperatorError, match="SLACK_BOT_TOKEN is not set"):
        Bot(Settings.from_environment({}))


async def test_stop_hands_over_at_once(start_bot: StartBot, database_urls: DatabaseUrls) -> None:
    long = LeaseSettings(duration=timedelta(hours=1), renew_every=timedelta(seconds=0.4))
    first = await start_bot(database_urls.bot, leases=long)
    await until_leading(first)
    second = await start_bot(database_urls.bot, leases=long)

    await first.stop()

    await until_leading(second)


async def until_leading(bot: Bot) -> None:
    wiring = bot.wiring
    assert wiring is not None
    await until(lambda: wiring.leader.is_leading)
