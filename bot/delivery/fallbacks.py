"""Other forms of a message when Slack refuses the first: plain text, no thread, the channel that bears the name now."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.clients.slack import THREAD_GONE, SlackClient
from services.domain.errors import SourceError
from services.domain.messages import Refusal, SlackRefusedError, UnsentMessage, refusal_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Form:
    """A message as it is handed to Slack."""

    channel: str
    thread_ts: str | None
    blocks: Sequence[dict[str, Any]]


class Fallbacks:
    """Of one lane. `slack` minds the pace of all."""

    def __init__(self, slack: SlackClient) -> None:
        self._slack = slack

    async def post(self, message: UnsentMessage, channel: str, *, leaves_by: float) -> tuple[str, str]:
        """Post it, if need be in other forms, each once; (channel id, ts). Raises SourceError as `SlackClient.post`."""
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
                is_over = refused.retryable or kind in tried or refused.code == THREAD_GONE  # its thread comes anew
                other = None if is_over else await self._other(form, kind, message.home)
                if other is None:
                    raise
                logger.warning("%s: %s; sent in another form", message.key, refused.why)
                tried.add(kind)
                form = other

    async def update(self, message: UnsentMessage, channel: str, ts: str) -> None:
        """Edit it; in plain text when Slack does not take its blocks. Raises SourceError as `SlackClient.update`."""
        try:
            await self._slack.update(channel, ts, message.text, message.blocks, key=message.key)
        except SlackRefusedError as refused:
            if refused.retryable or refusal_of(refused.code) is not Refusal.CONTENT or not message.blocks:
                raise
            logger.warning("%s: %s; sent as plain text", message.key, refused.why)
            await self._slack.update(channel, ts, message.text, (), key=message.key)

    async def has_moved(self, message: UnsentMessage, refused: SlackRefusedError) -> bool:
        """Whether the channel that refused it is not the one of that name any more."""
        return refusal_of(refused.code) is Refusal.PLACE and await self._new_home(message.home) not in (
            None,
            message.channel,
        )

    async def _other(self, form: _Form, kind: Refusal, home: str) -> _Form | None:
        """The form to try after such a refusal; None when there is none."""
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
        """The id of the channel that bears the configured name now; None when that is not known."""
        try:
            return await self._slack.look_up_again(home)
        except SourceError as error:
            logger.warning("%s was not found again: %s", home, error.why)
            return None
