"""Tracks acknowledged payloads: a stop waits for them, and authors of interrupted ones are notified."""

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
    """One per process. `bot_user`, `workspace`: return the bot's user id and team id, None until Slack reports them."""

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
        """Make a stop of the process wait for the task."""
        self._deduplicator.wait_for(task)

    @asynccontextmanager
    async def take(self, body: Body) -> AsyncIterator[None]:
        """Wrap the handling of the payload. Its claim is written concurrently, so that nothing waits for it."""
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
        """True if the payload names another company's workspace; the gate refuses it without a look-up."""
        workspace = self._workspace()
        return workspace is not None and any(team != workspace for team in named_teams(body))
