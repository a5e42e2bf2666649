"""Reads what a stranger sends, and no more of it than wanted."""

from __future__ import annotations

from fastapi import Request
from starlette.requests import ClientDisconnect


async def read_body(request: Request, *, limit: int) -> bytes:
    """The raw body; of one that is longer one byte more than `limit`, however much is sent. Empty if they hung up."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                return body[: limit + 1]
    except ClientDisconnect:
        return b""
    return body
