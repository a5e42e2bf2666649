"""Sends a message that Slack refused in another form: as plain text, outside the thread, or to the channel that has the
name now.

A page that Slack accepts in no form goes to the on-call people directly, or to their pagers.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.views.delivery import direct_message, pager_words
from bot.wake_ups import WakeUp
from services.clients.postgres.notifications import store_notification
from services.clients.postgres.pool import Connection
from services.clients.slack import THREAD_GONE, SlackClient, Urgency
from services.domain.channels import Channel
from services.domain.errors import SourceError
from services.domain.messages import UnsentMessage
from services.domain.slack_refusals import Refusal, SlackRefusedError, refusal_of
from services.domain.text import counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Form:
    """A form in which a message is sent to Slack."""

    channel: str
    thread_ts: str | None
    blocks: Sequence[dict[str, Any]]


class Fallbacks:
    """Tries other forms after refusals, for one outbox queue. `slack` keeps to the rate limits of all senders."""

    def __init__(self, slack: SlackClient) -> None:
        self._slack = slack

    async def post(self, message: UnsentMessage, channel: str, *, leaves_by: float) -> tuple[str, str]:
        """Post it, after a refusal in other forms, each once; return (channel id, ts). Raises SourceError as
        `SlackClient.post`."""
        form, tried = _Form(channel, message.thread_ts, message.blocks), set[Refusal]()
        while True:
            try:
                return await self._slack.post(
                    form.channel,
                    message.text,
                    form.blocks,
                    thread_ts=form.thread_ts,
                    key=message.key,
                    leaves_by=leaves_by,
                    only_in_thread=True,
                )
            except SlackRefusedError as refused:
                kind = refusal_of(refused.code)
                is_over = refused.retryable or kind in tried or refused.code == THREAD_GONE  # its thread is reposted
                other = None if is_over else await self._other(form, kind, message.home)
                if other is None:
                    raise
                logger.warning("%s: %s; sent in another form", message.key, refused.why)
                tried.add(kind)
                form = other

    async def update(self, message: UnsentMessage, channel: str, ts: str) -> None:
        """Edit it, as plain text if Slack refuses its blocks. Raises SourceError as `SlackClient.update`."""
        try:
            await self._slack.update(channel, ts, message.text, message.blocks, key=message.key)
        except SlackRefusedError as refused:
            if refused.retryable or refusal_of(refused.code) is not Refusal.CONTENT or not message.blocks:
                raise
            logger.warning("%s: %s; sent as plain text", message.key, refused.why)
            await self._slack.update(channel, ts, message.text, (), key=message.key)

    async def has_moved(self, message: UnsentMessage, refused: SlackRefusedError) -> bool:
        """True if another channel now has the name of the channel that refused it."""
        return refusal_of(refused.code) is Refusal.PLACE and await self._new_home(message.home) not in (
            None,
            message.channel,
        )

    async def _other(self, form: _Form, kind: Refusal, home: str) -> _Form | None:
        """Return the form to try after such a refusal; None if there is none."""
        match kind:
            case Refusal.CONTENT | Refusal.UNKNOWN:
                return replace(form, blocks=()) if form.blocks else None
            case Refusal.THREAD:
                return replace(form, thread_ts=None) if form.thread_ts else None
            case Refusal.PLACE:
                channel = await self._new_home(home)
                return None if channel in (None, form.channel) else _Form(channel, None, form.blocks)
            case Refusal.TOKEN:
                return None

    async def _new_home(self, home: str) -> str | None:
        """Return the id of the channel that has the configured name now; None if unknown."""
        try:
            return await self._slack.look_up_again(home)
        except SourceError as error:
            logger.warning("%s was not found again: %s", home, error.why)
            return None


Recipients = Callable[[], Awaitable[Sequence[str]]]
Pagers = Callable[[], Sequence[tuple[Channel, str]]]


@dataclass(frozen=True)
class Notified:
    """The people who got a page as a direct message, or the pagers that page because no one did. `line`: the pagers'
    text."""

    key: str
    line: str
    people: Sequence[str]
    pagers: Sequence[tuple[Channel, str]]

    @property
    def words(self) -> str:
        """A clause for the last error of the message's row."""
        if self.people:
            return f"sent to {counted(len(self.people), 'person')} directly".replace("persons", "people")
        return (
            f"{counted(len(self.pagers), 'pager')} notified instead" if self.pagers else "no one was notified elsewhere"
        )

    async def store(self, conn: Connection) -> None:
        """Page by pager, in the transaction that removes the page from the queue."""
        for means, target in self.pagers:
            key = f"{self.key}:refused:{means}:{target}"
            await store_notification(conn, key=key, means=means, target=target, subject=self.line, text=self.line)


class Undeliverable:
    """Delivers pages that Slack refused. `recipients`: Slack ids of the people who get them directly. `pagers`: those
    used if that reached no one.

    `refused` is set whenever a channel refused something.
    """

    def __init__(
        self,
        slack: SlackClient,
        *,
        environment: str | None = None,
        recipients: Recipients | None = None,
        pagers: Pagers = tuple,
        refused: WakeUp | None = None,
    ) -> None:
        self._slack = slack
        self._environment = environment
        self._recipients = recipients
        self._pagers = pagers
        self._refused = refused or WakeUp()

    async def notify(self, message: UnsentMessage, refused: SlackRefusedError) -> Notified:
        """Send the page to people directly; twice if this process dies before that is stored. A page for one person is
        not sent to others: the other channels of their level page them, and then the next level."""
        self._refused.set()
        is_personal = message.home[:1] in "UWD" and message.home.isupper()
        people = [] if is_personal else await self._send_directly(message, refused)
        pagers = () if people or is_personal else self._pagers()
        return Notified(message.key, pager_words(self._environment, refused.code), people, pagers)

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
