"""The one middleware: acknowledges what has three seconds to live, before any I/O.

Bolt's own way, `ack()` in the listener, is polled for every 10 ms; here the answer is ready when the listener starts
(docs/benchmarks.md). Bolt acknowledges events by itself. A view's submission waits for its listener, which may refuse
the input; that check is pure and as fast. It is the door for payloads too: what cannot be stored goes here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from services.domain.outside_text import cleaned

_IMMEDIATE = frozenset({"block_actions", "interactive_message", "message_action", "shortcut"})


async def acknowledge(body: dict[str, Any], ack: AsyncAck, next: Callable[[], Awaitable[None]]) -> None:  # noqa: A002
    """Bolt's global middleware; it finds the arguments by their names."""
    body.update(cleaned(dict(body)))
    if "command" in body or body.get("type") in _IMMEDIATE:
        await ack()
    await next()
