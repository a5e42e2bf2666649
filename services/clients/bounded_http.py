"""Read an HTTP answer only up to a size limit, however much the other side sends."""

from __future__ import annotations

from typing import Any

import httpx

LIMIT = 16 * 1024 * 1024  # bytes; a page of 100 GitHub issues with bodies of 65,536 characters is smaller
_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")


async def send_bounded(http: httpx.AsyncClient, method: str, url: str, **request: Any) -> httpx.Response:
    """Send a request; return the answer with at most the first `LIMIT` bytes of its decoded body.

    JSON that was longer than the limit can no longer be parsed. Raises what httpx raises.
    """
    body = bytearray()
    async with http.stream(method, url, **request) as answer:
        async for chunk in answer.aiter_bytes():
            body += chunk[: LIMIT - len(body)]
            if len(body) >= LIMIT:
                break
    headers = [(name, value) for name, value in answer.headers.raw if name.decode().lower() not in _OF_THE_BODY]
    return httpx.Response(answer.status_code, headers=headers, content=bytes(body), request=answer.request)
