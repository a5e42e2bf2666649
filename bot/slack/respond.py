"""Responds at the origin of the request: channel, thread, ephemeral message or dialog.

If Slack refuses the post there, the response goes through the request's `response_url`, then as a direct message.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.commands.home import home_view
from bot.slack.payloads import Submission, find_mistakes, read_submission, view_to_look_at
from bot.slack.request_origin import RequestOrigin
from bot.types import Answer
from bot.views.delivery import direct_answer
from bot.views.errors import no_dialog
from services.clients.slack import SlackClient
from services.domain.errors import Choice, SourceError
from services.domain.slack_refusals import Refusal, SlackRefusedError, refusal_of

logger = logging.getLogger(__name__)

_CLOCK_SLACK = timedelta(minutes=1)  # our clock and Slack's may differ


async def deliver(slack: SlackClient, answer: Answer, request_origin: RequestOrigin, *, key: str | None) -> None:
    """Send the answer. Raises SourceError if every way fails."""
    if request_origin.home:
        await slack.publish_home(request_origin.actor.user_id, home_view(answer, "", now=datetime.now(UTC)))
        return
    try:
        await _deliver(slack, answer, request_origin, key)
    except SlackRefusedError as refused:
        if refusal_of(refused.code) is not Refusal.CONTENT or not answer.blocks:
            raise
        logger.warning("an answer is sent as plain text: %s", refused.why)
        await _deliver(slack, replace(answer, blocks=()), request_origin, key)


async def _deliver(slack: SlackClient, answer: Answer, request_origin: RequestOrigin, key: str | None) -> None:
    if answer.file is not None and request_origin.channel_id:
        await _upload(slack, answer, request_origin, request_origin.channel_id)
    elif answer.private:
        await _privately(slack, answer, request_origin)
    elif request_origin.channel_id:
        await _publicly(slack, answer, request_origin, request_origin.channel_id, key)


async def _upload(slack: SlackClient, answer: Answer, request_origin: RequestOrigin, channel: str) -> None:
    assert answer.file is not None  # noqa: S101 - the caller has checked it
    name, text = answer.file.name, answer.file.text
    try:
        await slack.upload(channel, name, text, answer.text, thread_ts=request_origin.thread_ts)
    except SlackRefusedError as refused:
        if not _is_place(refused):
            raise
        logger.warning("a file is sent directly: %s", refused.why)
        await slack.upload(request_origin.actor.user_id, name, text, answer.text)


async def _privately(slack: SlackClient, answer: Answer, request_origin: RequestOrigin) -> None:
    """Send to the requester only. After a click in a thread, `response_url` is last: it posts to the channel."""
    address, code = request_origin.response_url, None
    if address and not request_origin.in_thread and await _responds(slack, answer, address):
        return
    user = request_origin.actor.user_id
    try:
        if request_origin.channel_id:
            await slack.post_ephemeral(
                request_origin.channel_id, user, answer.text, answer.blocks, thread_ts=request_origin.thread_ts
            )
            return
    except SlackRefusedError as refused:
        if not _is_place(refused):
            raise
        code = refused.code
    if not (address and request_origin.in_thread and await _responds(slack, answer, address)):
        await _directly(slack, answer, user, code)


async def _publicly(
    slack: SlackClient, answer: Answer, request_origin: RequestOrigin, channel: str, key: str | None
) -> None:
    since = datetime.now(UTC) - _CLOCK_SLACK
    thread = request_origin.thread_ts
    try:
        await slack.post(channel, answer.text, answer.blocks, thread_ts=thread, key=key)
    except SlackRefusedError as refused:
        if not _is_place(refused):
            raise
        if not request_origin.response_url or not await _responds(
            slack, answer, request_origin.response_url, in_channel=True
        ):
            await _directly(slack, answer, request_origin.actor.user_id, refused.code)
    except SourceError as lost:
        if not lost.outcome_unknown or key is None:
            raise
        logger.warning("an answer may not have arrived (%s); looking for it", lost.why)
        if await slack.find(channel, key, since=since, thread_ts=thread) is None:
            await slack.post(channel, answer.text, answer.blocks, thread_ts=thread, key=key)


async def _responds(slack: SlackClient, answer: Answer, response_url: str, *, in_channel: bool = False) -> bool:
    """True if the `response_url` accepted it (valid 30 minutes, 5 uses). Raises SourceError if that is unknown."""
    try:
        await slack.respond(response_url, answer.text, answer.blocks, in_channel=in_channel)
    except SourceError as error:
        if error.outcome_unknown:
            raise
        logger.warning("an answer is sent another way: %s", error.why)
        return False
    return True


async def _directly(slack: SlackClient, answer: Answer, user: str, code: str | None) -> None:
    text, blocks = direct_answer(answer.text, answer.blocks, code=code)
    await slack.post(await slack.channel_id(user), text, blocks)


def _is_place(refused: SlackRefusedError) -> bool:
    return refusal_of(refused.code) in (Refusal.PLACE, Refusal.THREAD)


Payload = Mapping[str, Any]


async def open_dialog(
    slack: SlackClient,
    body: Payload,
    view: Mapping[str, Any],
    *,
    line: str,
    choices: Sequence[Choice] = (),
) -> str:
    """Open the dialog with the payload's trigger and return its id. `line`: the command to type instead.

    Raises OperatorError that names the line if the dialog did not open.
    """
    try:
        return await slack.open_view(str(body.get("trigger_id", "")), view)
    except SourceError as failure:
        logger.warning("a dialog did not open: %s", failure.why)
        raise no_dialog(failure, line, choices) from failure


async def fill_dialog(slack: SlackClient, view_id: str, view: Mapping[str, Any], *, line: str) -> None:
    """Show the content in a dialog that was opened empty. Raises OperatorError that names the line if that fails."""
    try:
        await slack.update_view(view_id, view)
    except SourceError as failure:
        logger.warning("a dialog stayed empty: %s", failure.why)
        raise no_dialog(failure, line) from failure


Body = dict[str, Any]
Work = Callable[[RequestOrigin, str | None], Awaitable[None]]
Deduplicate = Callable[
    [Body, Work], Awaitable[None]
]  # does the work of a payload once, across replicas and redeliveries


async def take_submission(ack: AsyncAck, body: Body) -> Submission | None:
    """Acknowledge and read a modal. None if it is shown again (mistakes, masked text), or if it is unknown."""
    submission = read_submission(body["view"])
    mistakes = find_mistakes(submission) if submission else {}
    if mistakes:
        await ack(response_action="errors", errors=mistakes)
        return None
    again = view_to_look_at(body["view"], submission) if submission else None
    if again is not None:
        await ack(response_action="update", view=again)
        return None
    await ack()
    return submission
