"""A Bolt app that acknowledges as the bot does and does nothing else; started as a separate process."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient


async def acknowledge(ack: AsyncAck, next: Callable[[], Awaitable[None]]) -> None:  # noqa: A002 - Bolt's names
    await ack()
    await next()


async def do_nothing() -> None:
    """The listener, in which the work would begin."""


async def main() -> None:
    client = AsyncWebClient(os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"])
    app = AsyncApp(client=client)
    app.use(acknowledge)
    app.command(re.compile(".*"))(do_nothing)
    handler = AsyncSocketModeHandler(app, os.environ["SLACK_APP_TOKEN"], web_client=client)
    await handler.start_async()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    asyncio.run(main())
