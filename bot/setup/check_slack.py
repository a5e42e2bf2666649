"""`check-slack`: checks the app's setup in Slack. On a terminal, because the bot may not be reachable in Slack."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from bot.clients import open_slack
from bot.commands.arguments import wrong_word
from bot.config.connections import SlackSettings
from bot.config.environment import Settings, require
from bot.config.fields import Invalid
from bot.config.policy_file import load_policy
from bot.setup.console import Console, Terminal
from bot.setup.live_exchange import WITHIN_S, exchange_live
from bot.slack.manifest import SCOPES
from bot.types import Answer
from bot.views.findings import findings_answer
from playbooks.checks.slack_setup import check
from services.clients.slack import SlackClient
from services.clients.slack_setup import app_of_token, as_refused, read_installation, refusal, request_connection
from services.domain.errors import OperatorError, SourceError
from services.domain.message_origin import slash
from services.domain.oncall import is_group
from services.domain.slack_setup import Exchange, Installation, Place, Refused, SetupFacts

LIVE = "--live"
MOST_PEOPLE = 20  # conversations.open: 50 calls per minute


async def check_slack(words: Sequence[str], environ: Mapping[str, str]) -> Answer:
    """Answer `check-slack [--live]`. Raises UsageError for other words."""
    for word in words:
        if word != LIVE:
            raise wrong_word(word, "is not expected here", "Write `dragonfly check-slack` or `check-slack --live`.")
    return await check_setup(Settings.from_environment(environ), Terminal(), is_live=LIVE in words)


async def check_setup(
    settings: Settings,
    console: Console,
    *,
    is_live: bool,
    now: Callable[[], float] = time.time,
    within_s: float = WITHIN_S,
) -> Answer:
    """Check the setup. The answer names variables and ids, never a token. now: returns this machine's Unix time."""
    slack_settings = require(settings.slack)
    if is_live and slack_settings.app_token is None:
        raise OperatorError(
            "The live exchange was not started",
            why="it needs Socket Mode, and SLACK_APP_TOKEN is not set",
            what_next=f"In HTTP mode, start the bot and type `{slash('health')}`: Slack shows what fails.",
        )
    slack = open_slack(slack_settings)
    try:
        facts = await gather_setup(slack, slack_settings, listed_ids(settings), now=now)
        if is_live and isinstance(facts.installation, Installation):
            facts = await _with_exchange(facts, slack, slack_settings, console, within_s)
    finally:
        await slack.aclose()
    return findings_answer("Slack setup", check(facts), private=True)


async def gather_setup(
    slack: SlackClient, settings: SlackSettings, ids: Sequence[str], *, now: Callable[[], float] = time.time
) -> SetupFacts:
    """Gather what Slack's API reports about the setup. ids: of people and groups."""
    installation = await _installation(slack, now)
    facts = SetupFacts(wanted=SCOPES, installation=installation, channel=settings.incidents_channel)
    if isinstance(installation, Refused):
        return facts
    groups = [one for one in ids if is_group(one)]
    people = [one for one in ids if not is_group(one)][:MOST_PEOPLE]
    token = settings.app_token
    async with asyncio.TaskGroup() as tasks:
        place = tasks.create_task(_place(slack, settings.incidents_channel))
        app_token = tasks.create_task(refusal(request_connection(slack, token))) if token else None
        readable = tasks.create_task(_each(groups, slack.list_group_members))
        reachable = tasks.create_task(_each(people, slack.channel_id))
    return SetupFacts(
        command=settings.command,
        wanted=SCOPES,
        installation=installation,
        channel=settings.incidents_channel,
        place=place.result(),
        uses_socket_mode=token is not None,
        app_token=app_token.result() if app_token else None,
        app_of_token=app_of_token(token) if token else None,
        groups=readable.result(),
        people=reachable.result(),
    )


def listed_ids(settings: Settings) -> list[str]:
    """Ids of the people and groups in the operator and approver lists and in the policy, without duplicates."""
    people = settings.people
    if isinstance(people, Invalid):
        return []
    policy = load_policy(people)
    groups = () if isinstance(policy, Invalid) else policy.groups
    return list(dict.fromkeys([*people.operators, *people.approvers, *groups]))


async def _with_exchange(
    facts: SetupFacts, slack: SlackClient, settings: SlackSettings, console: Console, within_s: float
) -> SetupFacts:
    exchange = await _exchange(facts, slack, settings, console, within_s)
    return replace(facts, exchange=exchange)


async def _exchange(
    facts: SetupFacts, slack: SlackClient, settings: SlackSettings, console: Console, within_s: float
) -> Exchange | None:
    """Run the live exchange; None without an app-level token or an installation."""
    if settings.app_token is None or not isinstance(facts.installation, Installation):
        return None
    return await exchange_live(
        slack,
        settings.app_token,
        settings.incidents_channel,
        console,
        bot_name=facts.installation.bot_name,
        command=facts.command,
        within_s=within_s,
    )


async def _installation(slack: SlackClient, now: Callable[[], float]) -> Installation | Refused:
    try:
        return await read_installation(slack, now=now)
    except SourceError as error:
        return as_refused(error)


async def _place(slack: SlackClient, channel: str) -> Place | Refused:
    try:
        state = await slack.read_channel(channel)
    except SourceError as error:
        return as_refused(error)
    return Place(state.is_archived, state.is_member)


async def _each(ids: Sequence[str], read: Callable[[str], Awaitable[object]]) -> dict[str, Refused | None]:
    return {one: await refusal(read(one)) for one in ids}
