"""Keeps two Socket Mode connections, because slack_sdk closes the old session before it opens the new one.

Slack refreshes each connection every few hours, and sends a payload to any one of them; with two there is no gap.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient

from services.clients.slack import SlackClient
from services.domain.secrets import Secret

logger = logging.getLogger(__name__)

CONNECTIONS = 2
PING_S = 5.0  # after four missed pings a connection counts as stale


class SocketMode:
    """The connections of this process. `open` returns when all are up; a lost connection reconnects by itself."""

    def __init__(self, app: AsyncApp, slack: SlackClient, app_token: Secret, *, connections: int = CONNECTIONS) -> None:
        self._app = app
        self._slack = slack
        self._app_token = app_token
        self._count = connections
        self._handlers: list[AsyncSocketModeHandler] = []

    async def open(self) -> None:
        """Open the connections one after the other, so that Slack does not refresh them at the same time."""
        for _ in range(self._count):
            handler = AsyncSocketModeHandler(
                self._app, self._app_token.reveal(), web_client=self._slack.web, ping_interval=PING_S
            )
            self._handlers.append(handler)
            await handler.connect_async()  # type: ignore[no-untyped-call]

    @property
    def expected(self) -> int:
        """Expected number of connections."""
        return self._count

    @property
    def connected(self) -> int:
        """Number of connections that are up; one that missed four pings is not."""
        return sum(_is_up(handler.client) for handler in self._handlers)

    async def close(self) -> None:
        """Close all connections; no more payloads arrive."""
        for handler in self._handlers:
            client = handler.client
            tasks = (client.message_processor, client.current_session_monitor, client.message_receiver)
            await handler.close_async()  # type: ignore[no-untyped-call]
            for task in filter(None, tasks):  # slack_sdk cancels them and does not wait
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task
        self._handlers.clear()


def _is_up(client: SocketModeClient) -> bool:
    session = client.current_session
    return not client.closed and not client.stale and session is not None and not session.closed
