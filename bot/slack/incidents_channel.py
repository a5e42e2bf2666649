"""Checks that the incidents channel accepts messages: every minute, and whenever Slack has refused a post.

A channel that is shared with another company is closed for all posts of this process until it is no longer shared.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from bot.wake_ups import WakeUp, drive
from services.clients.slack import SlackClient
from services.domain.errors import SourceError
from services.domain.slack_refusals import Refusal, SlackRefusedError, place_words, refusal_of

logger = logging.getLogger(__name__)

EVERY_S = 60.0


class IncidentsChannel:
    """Monitor of the incidents channel. `problem`: why it accepts no messages; None if it does or if unknown.
    `refused`: wake-up after Slack refused a post. `on_back`: called when the channel accepts messages again, or when
    another channel has its name."""

    def __init__(
        self,
        slack: SlackClient,
        channel: str,
        *,
        refused: WakeUp,
        on_back: Callable[[], Awaitable[None]],
        every_s: float = EVERY_S,
    ) -> None:
        self.problem: str | None = None
        self._slack = slack
        self._channel = channel
        self._on_back = on_back
        self._every_s = every_s
        self._id: str | None = None
        self._refused = refused

    async def run(self) -> None:
        """Check until cancelled."""
        await drive(self._pass, self._refused)

    async def check(self) -> None:
        """Check once. Raises SourceError if Slack does not answer, or from `on_back` if the database does not."""
        before, id_before = self.problem, self._id
        self.problem = await self._find_problem()
        if self.problem != before:
            logger.warning("#%s: %s", self._channel, self.problem or "takes messages again")
        if self.problem is None and (before is not None or (id_before is not None and id_before != self._id)):
            await self._on_back()

    async def _pass(self) -> float:
        try:
            await self.check()
        except SourceError as error:
            logger.warning("#%s: %s: %s", self._channel, error.source, error.why)
        return self._every_s

    async def _find_problem(self) -> str | None:
        try:
            state = await self._slack.read_channel(self._channel)
        except SlackRefusedError as refused:
            return place_words(refused.code) if refusal_of(refused.code) is Refusal.PLACE else None
        self._id = state.id
        if state.is_shared_outside:
            self._slack.closed.add(state.id)
        else:
            self._slack.closed.discard(state.id)
        return state.problem
