"""Shows an answer before it is complete: one message, posted at once and edited in place until it is final."""

from __future__ import annotations

import logging

from bot.admission import PublicAnswers
from bot.slack.payloads import RequestOrigin
from bot.types import Answer
from services.clients.slack import SlackClient
from services.domain.errors import SourceError

logger = logging.getLogger(__name__)


class Progress:
    """Of one request. Where the channel has had many public answers, or takes no message, nothing is shown early: the
    final answer then comes as every other does."""

    def __init__(self, slack: SlackClient, request_origin: RequestOrigin, public_answers: PublicAnswers) -> None:
        self._slack = slack
        self._request_origin = request_origin
        self._public_answers = public_answers
        self._place: tuple[str, str] | None = None
        self._is_refused = False

    async def show(self, answer: Answer) -> None:
        """Post it, or put it in the place of what was posted. A failure costs the early sight only."""
        origin = self._request_origin
        if self._is_refused or origin.home or origin.channel_id is None:
            return
        try:
            if self._place is not None:
                await self._slack.update(*self._place, answer.text, answer.blocks)
            elif self._may_post(origin.channel_id):
                thread = origin.thread_ts
                self._place = await self._slack.post(origin.channel_id, answer.text, answer.blocks, thread_ts=thread)
        except SourceError as error:
            logger.warning("progress is not shown: %s", error.why)
            self._is_refused = self._place is None

    async def finish(self, answer: Answer) -> bool:
        """Whether the answer stands in the message now; False when none was posted, or it cannot be edited."""
        if self._place is None:
            return False
        try:
            await self._slack.update(*self._place, answer.text, answer.blocks)
        except SourceError as error:
            logger.warning("an answer goes another way: %s", error.why)
            return False
        return True

    def _may_post(self, channel: str) -> bool:
        self._is_refused = not self._public_answers.take(channel, self._request_origin.actor.user_id)
        return not self._is_refused
