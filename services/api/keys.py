"""Who may use the intake: callers that present one of the API's keys."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Security
from fastapi.security import APIKeyHeader

from services.api.errors import RefusedError
from services.domain.secrets import Secret

KEY_HEADER = "X-DRAGONFLY-API-KEY"


def key_check(keys: Sequence[Secret]) -> Callable[[str | None], Coroutine[Any, Any, None]]:
    """A dependency for a whole router: no route of it can forget to ask. It comes before anything else is read."""
    header = APIKeyHeader(name=KEY_HEADER, auto_error=False)

    # Not Annotated: FastAPI reads annotations where `header` is not known.
    async def check(presented: str | None = Security(header)) -> None:
        require_key(presented, keys)

    return check


def require_key(presented: str | None, keys: Sequence[Secret]) -> None:
    """Raise RefusedError (401, or 503 when no key is configured) unless one of the keys was presented."""
    if not keys:
        raise RefusedError(
            503,
            "The intake is closed",
            why="DRAGONFLY_API_KEY is not set on this service",
            what_next="Set it on dragonfly-api and deploy again.",
        )
    if not _is_one_of(presented or "", keys):
        raise RefusedError(
            401,
            "Nothing was read or stored",
            why=f"the header {KEY_HEADER} is missing or holds no valid key",
            what_next="Present the key that dragonfly-api has in DRAGONFLY_API_KEY.",
        )


def _is_one_of(presented: str, keys: Sequence[Secret]) -> bool:
    # Every key is compared, and each in constant time, so that the time tells nothing about any of them.
    matches = [hmac.compare_digest(presented.encode(), key.reveal().encode()) for key in keys]
    return any(matches)
