"""Reads the policy and the people whom it names, for the check of the bot's own settings."""

from __future__ import annotations

from bot.approvals.coverage import find_gaps
from bot.approvals.groups import Groups
from bot.approvals.people import People
from bot.approvals.policy import Policy
from bot.approvals.policy_file import load_policy
from bot.settings import Invalid, Settings
from services.domain.errors import Unavailable
from services.slack.client import SlackClient


async def read_gaps(settings: Settings) -> dict[str, str | Unavailable | None] | Invalid:
    """`{change: why nobody could have it done}`, see `find_gaps`; what is wrong with the policy when it is unusable."""
    policy = load_policy(settings.people)
    if isinstance(policy, Invalid):
        return policy
    return find_gaps(policy, await _read_people(policy, settings), settings.environment or "")


async def _read_people(policy: Policy, settings: Settings) -> People:
    """Asks Slack about the policy's groups; without Slack, or without groups, nobody is asked."""
    if isinstance(settings.slack, Invalid) or not policy.groups:
        return People(workspace=None)
    slack = SlackClient(settings.slack.bot_token, api_url=settings.slack.api_url)
    groups = Groups(slack, policy.groups, workspace=lambda: None, timeout_s=settings.source_timeout_s)
    try:
        return await groups.people()
    finally:
        await groups.aclose()
        await slack.aclose()
