"""Takes a payload from its acknowledgement on: a stop waits for it, and what is cut off is reported to its author."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bot.slack.asked import read_asked
from bot.slack.dedup import Deduplicator
from bot.slack.request_origin import delivery_key, named_teams, read_request_origin
from bot.slack.respond import Body


class Acknowledged:
    """One for the process. `bot_user`, `workspace`: our own user id and team id, once Slack has reported them."""

    def __init__(
        self,
        deduplicator: Deduplicator,
        bot_user: Callable[[], str | None],
        *,
        workspace: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._deduplicator = deduplicator
        self._bot_user = bot_user
        self._workspace = workspace

    def wait_for(self, task: asyncio.Task[Any] | None) -> None:
        """A stop waits for the task."""
        self._deduplicator.wait_for(task)

    @asynccontextmanager
    async def take(self, body: Body) -> AsyncIterator[None]:
        """Around all that is done about the payload. Its claim is written meanwhile: nothing here waits for it."""
        self.wait_for(asyncio.current_task())
        key = self._begin(body)
        try:
            yield
        except asyncio.CancelledError:
            if key is not None:
                await self._deduplicator.give_up(key)
            raise
        finally:
            if key is not None:
                await self._deduplicator.end(key)

    def _begin(self, body: Body) -> str | None:
        origin, key = read_request_origin(body), delivery_key(body)
        asked = None if origin is None or self._is_foreign(body) else read_asked(body, origin, self._bot_user())
        if asked is None or key is None:
            return None
        return key if self._deduplicator.begin(key, asked) else None

    def _is_foreign(self, body: Body) -> bool:
        """Whether the payload names another company's workspace: the gate refuses it without looking anything up."""
        workspace = self._workspace()
        return workspace is not None and any(team != workspace for team in named_teams(body))
