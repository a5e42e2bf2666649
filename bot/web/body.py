"""Reads what a stranger sends, and no more of it than wanted."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

BODY_WITHIN_S = 10.0  # Slack and Railway send theirs at once


async def read_body(request: Request, *, limit: int, within_s: float = BODY_WITHIN_S) -> bytes:
    """The raw body; of one that is longer one byte more than `limit`, however much is sent. Empty if they hung up, or
    did not send it within `within_s`: what is empty bears no signature that fits."""
    body = b""
    try:
        async with asyncio.timeout(within_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    return body[: limit + 1]
    except (ClientDisconnect, TimeoutError):
        return b""
    return body
