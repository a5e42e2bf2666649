"""Shows an answer before it is complete: one message, posted early and edited in place until it is final.

In a thread, Slack also shows the step as the app's status, where it accepts one. The status only repeats the message.
Slack's streaming messages are not used: streamed text can't be withdrawn, and an answer is shown only once checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

from bot.admission import PublicAnswers
from bot.slack.request_origin import RequestOrigin
from bot.types import Answer
from services.clients.slack import SlackClient
from services.domain.errors import SourceError

logger = logging.getLogger(__name__)

HELD_S = 1.0  # longest time that an answer waits for its own sign
LEAVES_WITHIN_S = 5.0
LATE: set[asyncio.Task[None]] = set()  # keeps references: the event loop itself keeps no task alive


class Progress:
    """Progress of one request. If the channel is over the limit of public answers, or accepts no message, nothing is
    shown early, and the final answer is delivered as usual."""

    def __init__(self, slack: SlackClient, request_origin: RequestOrigin, public_answers: PublicAnswers) -> None:
        self._slack = slack
        self._request_origin = request_origin
        self._public_answers = public_answers
        self._place: tuple[str, str] | None = None
        self._is_refused = False
        self._status = ""
        self._has_status = request_origin.thread_ts is not None
        self._has_left = False  # the sign was sent; Slack's answer shows whether it was accepted
        self._is_sign = False
        self._is_given_up = False
        self._is_lost = False  # a message may have been posted, with unknown timestamp
        self._showing = asyncio.Lock()  # two concurrent calls would post two messages

    @contextlib.asynccontextmanager
    async def sign(self, words: Answer, *, at: float) -> AsyncIterator[None]:
        """During the block, show `words` if nothing else is shown by `at` (the event loop's time), in the message that
        the answer will replace; to the requester only if they are private, or if the channel accepts no message now.
        If the block fails, the message is removed.

        The answer waits `HELD_S` at most for a sign that was sent; a sign that arrives later is removed.
        """
        waiting = asyncio.create_task(self._show_first(words, at))
        try:
            yield
        except BaseException:
            await self._end(waiting)
            await self.remove()
            raise
        await self._end(waiting)

    async def _end(self, waiting: asyncio.Task[None]) -> None:
        if not self._has_left:
            waiting.cancel()
        LATE.add(waiting)
        waiting.add_done_callback(LATE.discard)
        await asyncio.wait({waiting}, timeout=HELD_S)
        self._is_given_up = not waiting.done()

    async def remove_sign(self) -> None:
        """Remove the sign if the answer is delivered separately. Progress that the command itself showed stays."""
        if self._is_sign:
            await self.remove()

    async def remove(self) -> None:
        """Delete the message that was shown early."""
        place, self._place = self._place, None
        if place is not None:
            with contextlib.suppress(SourceError):
                await self._slack.delete(*place)

    async def _show_first(self, words: Answer, at: float) -> None:
        await asyncio.sleep(at - asyncio.get_running_loop().time())
        async with self._showing:
            if self._place is not None:
                return
            self._has_left = self._is_sign = True
            if not words.private and self._is_channel_free():
                await self._show(words, leaves_by=time.monotonic() + LEAVES_WITHIN_S)
            if self._place is None and not self._is_given_up and not self._is_lost:  # the channel accepts none now
                await self._show_privately(words)

    def _is_channel_free(self) -> bool:
        """True if the channel's rate limit allows a post at once, because a sign does not wait for it."""
        channel = self._request_origin.channel_id
        return channel is not None and self._slack.pace.is_free(channel)

    async def _show_privately(self, words: Answer) -> None:
        """Show the sign as an ephemeral message. It stays, because an app can't delete ephemeral messages."""
        origin = self._request_origin
        try:
            if origin.channel_id is not None and not origin.home:
                user, thread = origin.actor.user_id, origin.thread_ts
                await self._slack.post_ephemeral(origin.channel_id, user, words.text, words.blocks, thread_ts=thread)
        except SourceError as error:
            logger.warning("progress is not shown: %s", error.why)

    async def show(self, answer: Answer) -> None:
        """Post the answer, or replace the earlier one. A failure only loses the early display."""
        async with self._showing:
            self._is_sign = False
            await self._show(answer)

    async def _show(self, answer: Answer, *, leaves_by: float | None = None) -> None:
        origin = self._request_origin
        if self._is_refused or origin.home or origin.channel_id is None:
            return
        try:
            if self._place is not None:
                await self._slack.update(*self._place, answer.text, answer.blocks)
            elif self._may_post(origin.channel_id):
                thread = origin.thread_ts
                if leaves_by is not None:
                    await self._slack.pace.wait(origin.channel_id)  # returns at once, and takes the slot
                self._place = await self._slack.post(
                    origin.channel_id, answer.text, answer.blocks, thread_ts=thread, leaves_by=leaves_by
                )
                if self._is_given_up:
                    await self.remove()
                    return
        except SourceError as error:
            logger.warning("progress is not shown: %s", error.why)
            self._is_lost = self._place is None and error.outcome_unknown
            self._is_refused = self._place is None and (leaves_by is None or self._is_lost)
        await self._show_status(answer.step)

    async def finish(self, answer: Answer) -> bool:
        """Put the final answer into the message. False if none was posted, or if it can't be edited."""
        if self._place is None:
            return False
        try:
            await self._slack.update(*self._place, answer.text, answer.blocks)
        except SourceError as error:
            logger.warning("an answer is sent another way: %s", error.why)
            return False
        finally:
            await self._show_status("")
        return True

    async def _show_status(self, step: str) -> None:
        """Set the status after posting, because a post clears it. After one refusal it is not tried again."""
        origin, status = self._request_origin, f"is {step} …" if step else ""
        if not self._has_status or status == self._status or not (origin.channel_id and origin.thread_ts):
            return
        try:
            await self._slack.set_status(origin.channel_id, origin.thread_ts, status)
            self._status = status
        except SourceError as error:
            logger.info("no status is shown: %s", error.why)
            self._has_status = False

    def _may_post(self, channel: str) -> bool:
        self._is_refused = not self._public_answers.take(channel, self._request_origin.actor.user_id)
        return not self._is_refused
