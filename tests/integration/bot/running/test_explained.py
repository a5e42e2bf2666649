"""Answers about other people: a person's permissions, names instead of ids, and the drill's dry run."""

from __future__ import annotations

import pytest

from bot.app import Bot
from bot.cli import dispatch
from services.sandbox.slack import model
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack, StartBot, environment
from tests.integration.bot.running.test_decisions import reported

PEOPLE = {"DRAGONFLY_OPERATORS": model.OPERATORS.id, "DRAGONFLY_APPROVERS": model.APPROVERS.id}


@pytest.fixture
async def bot(start_bot: StartBot, database_urls: DatabaseUrls) -> Bot:
    return await start_bot(database_urls.bot, **PEOPLE)


async def test_policy_of_another_person_is_reported_of_them_and_for_all_services(bot: Bot, slack: Slack) -> None:
    assert bot
    await slack.type("/dragonfly policy explain @otto deploy")

    answer = await reported(slack, model.OLIVIA, f"<@{model.OTTO.id}>")

    words = " ".join(answer.text.split())
    assert "🔴 may not request for every service: They don't have permission to request `deploy`" in words
    assert "🔴 may not approve for every service: They don't have permission" in words


async def test_policy_of_oneself_is_reported_of_you(bot: Bot, slack: Slack) -> None:
    assert bot
    await slack.type("/dragonfly policy explain @olivia deploy")

    answer = await reported(slack, model.OLIVIA, f"*<@{model.OLIVIA.id}>*")

    assert "✅ may request for every service" in answer.text
    assert "You don't have permission to approve" in answer.text


async def test_dry_run_of_a_drill_is_the_bare_drill(bot: Bot, slack: Slack) -> None:
    assert bot
    await slack.type("/dragonfly drill")
    bare = await slack.wait_for()
    await slack.type("/dragonfly drill --dry-run")

    again = await slack.wait_for(lambda message: message.ts != bare.ts)

    assert again.text == bare.text


async def test_terminal_names_groups_as_slack_does(slack: Slack, database_urls: DatabaseUrls) -> None:
    environ = environment(slack, database_urls.bot, **PEOPLE)

    outcome = await dispatch(["policy", "explain", model.OTTO.id, "restart", "ingest"], environ)

    assert "@Otto Lind" in outcome.text
    assert model.OTTO.id not in outcome.text
    assert "@dragonfly-operators can request it" in outcome.text
