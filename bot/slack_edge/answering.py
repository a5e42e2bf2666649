"""Brings an answer to the one who asked: in the channel, in the thread, or for their eyes only."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from bot.commands._contract import Answer
from bot.slack_edge.asker import Asker
from bot.views.app_home import home_view
from services.domain.errors import SourceError
from services.slack.client import SlackClient
from services.slack.errors import SlackRefusedError

logger = logging.getLogger(__name__)

# The bot is no member here, or this is a direct message between people: the command's own address still works.
_NOT_OURS = frozenset({"channel_not_found", "is_archived", "not_in_channel", "restricted_action"})
_CLOCK_SLACK = timedelta(minutes=1)  # our clock and Slack's may differ


async def deliver(slack: SlackClient, answer: Answer, asker: Asker, *, key: str | None) -> None:
    """Send the answer. Raises SourceError when no way is left."""
    if answer.file is not None and asker.channel_id and not asker.home:
        await slack.upload(asker.channel_id, answer.file.name, answer.file.text, answer.text, thread_ts=asker.thread_ts)
    elif asker.home:
        await slack.publish_home(asker.actor.user_id, home_view(answer, "", now=datetime.now(UTC)))
    elif answer.private:
        await _privately(slack, answer, asker)
    elif asker.channel_id:
        await _publicly(slack, answer, asker, asker.channel_id, key)


async def _privately(slack: SlackClient, answer: Answer, asker: Asker) -> None:
    if asker.response_url:
        await slack.respond(asker.response_url, answer.text, answer.blocks)
    elif asker.channel_id:
        user = asker.actor.user_id
        thread = asker.thread_ts
        await slack.post_ephemeral(asker.channel_id, user, answer.text, answer.blocks, thread_ts=thread)


async def _publicly(slack: SlackClient, answer: Answer, asker: Asker, channel: str, key: str | None) -> None:
    since = datetime.now(UTC) - _CLOCK_SLACK
    thread = asker.thread_ts
    try:
        await slack.post(channel, answer.text, answer.blocks, thread_ts=thread, key=key)
    except SlackRefusedError as refused:
        if refused.code not in _NOT_OURS or not asker.response_url:
            raise
        await slack.respond(asker.response_url, answer.text, answer.blocks, in_channel=True)
    except SourceError as lost:
        if not lost.outcome_unknown or key is None:
            raise
        logger.warning("an answer may not have arrived (%s); looking for it", lost.why)
        if await slack.find(channel, key, since=since, thread_ts=thread) is None:
            await slack.post(channel, answer.text, answer.blocks, thread_ts=thread, key=key)
