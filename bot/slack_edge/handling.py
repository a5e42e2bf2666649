"""What the handlers of all kinds of payloads share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.interactions.submissions import Submission, find_mistakes, read_submission, view_to_look_at
from bot.slack_edge.asker import Asker

Body = dict[str, Any]
Work = Callable[[Asker, str | None], Awaitable[None]]
DoOnce = Callable[[Body, Work], Awaitable[None]]  # does the work of a payload once, across replicas and redeliveries


async def take_submission(ack: AsyncAck, body: Body) -> Submission | None:
    """Acknowledge a modal. None when that is all: it shows its mistakes, or what is masked, or is none of ours."""
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
