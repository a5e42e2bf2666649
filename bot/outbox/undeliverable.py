"""Tells a page that Slack does not take elsewhere: whoever answers for pages directly, or else everybody's pagers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.views.undeliverable import direct_message, pager_words
from services.domain.errors import SourceError
from services.domain.notifications import Means
from services.domain.outbox import UnsentMessage
from services.domain.slack_refusals import Refusal, refusal_of
from services.domain.words import counted
from services.postgres.notifications import store_notification
from services.postgres.pool import Connection
from services.slack.client import SlackClient
from services.slack.errors import SlackRefusedError
from services.slack.pace import Urgency

logger = logging.getLogger(__name__)

Recipients = Callable[[], Awaitable[Sequence[str]]]
Pagers = Callable[[], Sequence[tuple[Means, str]]]


@dataclass(frozen=True)
class Told:
    """Who got a page in Slack directly, and who is rung because none did. `line` is what their pagers say."""

    key: str
    line: str
    people: Sequence[str]
    pagers: Sequence[tuple[Means, str]]

    @property
    def words(self) -> str:
        """For the row's last error."""
        if self.people:
            return f"sent to {counted(len(self.people), 'person')} directly".replace("persons", "people")
        return f"{counted(len(self.pagers), 'pager')} rung instead" if self.pagers else "told to nobody elsewhere"

    async def store(self, conn: Connection) -> None:
        """Ring the pagers, in the transaction that takes the page out of the queue."""
        for means, target in self.pagers:
            key = f"{self.key}:refused:{means}:{target}"
            await store_notification(conn, key=key, means=means, target=target, subject=self.line, text=self.line)


class Undeliverable:
    """`recipients`: the Slack ids of whoever gets a page directly. `pagers`: those that ring when that reached nobody.

    `rung` is called whenever a channel refused something.
    """

    def __init__(
        self,
        slack: SlackClient,
        *,
        environment: str | None = None,
        recipients: Recipients | None = None,
        pagers: Pagers = tuple,
        rung: Callable[[], None] = lambda: None,
    ) -> None:
        self._slack = slack
        self._environment = environment
        self._recipients = recipients
        self._pagers = pagers
        self._rung = rung

    async def tell(self, message: UnsentMessage, refused: SlackRefusedError) -> Told:
        """Send the page directly. Twice when this process dies before the row says so. What is for one person stays
        theirs: their level's other ways ring, and the next level follows."""
        self._rung()
        is_personal = message.home[:1] in "UWD" and message.home.isupper()
        people = [] if is_personal else await self._send_directly(message, refused)
        pagers = () if people or is_personal else self._pagers()
        return Told(message.key, pager_words(self._environment, refused.code), people, pagers)

    async def _send_directly(self, message: UnsentMessage, refused: SlackRefusedError) -> list[str]:
        text, blocks = direct_message(message.text, message.blocks, channel=message.home, code=refused.code)
        people = await self._recipients() if self._recipients else ()
        return [user for user in people if await self._reaches(user, text, blocks)]

    async def _reaches(self, user: str, text: str, blocks: Sequence[dict[str, Any]]) -> bool:
        try:
            channel = await self._slack.channel_id(user)
            await self._post(channel, text, blocks)
        except SourceError as error:
            logger.warning("a page was not sent to %s directly: %s", user, error.why)
            return False
        return True

    async def _post(self, channel: str, text: str, blocks: Sequence[dict[str, Any]]) -> None:
        try:
            await self._slack.post(channel, text, blocks, urgency=Urgency.PAGE)
        except SlackRefusedError as refused:
            if refusal_of(refused.code) is not Refusal.CONTENT:
                raise
            await self._slack.post(channel, text, (), urgency=Urgency.PAGE)
