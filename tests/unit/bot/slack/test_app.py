"""The acknowledgement of Slack's payloads, which also cleans them."""

from __future__ import annotations

from typing import Any, cast

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.slack.app import acknowledge


async def test_slack_payload_has_no_characters_that_postgres_cannot_store() -> None:
    body: dict[str, Any] = {"command": "/dragonfly", "text": "incident open half \ud83d", "view": {"state": ["nul \0"]}}
    seen: list[dict[str, Any]] = []

    async def ack() -> None:
        """Stands in for Bolt's own."""

    async def go_on() -> None:
        seen.append(dict(body))

    await acknowledge(body, cast(AsyncAck, ack), go_on)

    assert seen == [{"command": "/dragonfly", "text": "incident open half \ufffd", "view": {"state": ["nul \ufffd"]}}]
