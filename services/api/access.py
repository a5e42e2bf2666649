"""Access to the intake: API keys and rate limits."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Security
from fastapi.security import APIKeyHeader
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.errors import RefusedError, refusal
from services.domain.secrets import Secret

KEY_HEADER = "X-DRAGONFLY-API-KEY"


def key_check(
    keys: Sequence[Secret], *, closed: str = "The intake is closed"
) -> Callable[[str | None], Coroutine[Any, Any, None]]:
    """A dependency for a whole router, so that none of its routes can omit it. It runs before anything else is read.

    `closed`: the error text while no key is configured.
    """
    header = APIKeyHeader(name=KEY_HEADER, auto_error=False)

    # Not Annotated: FastAPI evaluates annotations outside this scope, without `header`.
    async def check(presented: str | None = Security(header)) -> None:
        require_key(presented, keys, closed=closed)

    return check


def require_key(presented: str | None, keys: Sequence[Secret], *, closed: str = "The intake is closed") -> None:
    """Raise RefusedError (401, or 503 if no key is configured) unless `presented` is one of the keys."""
    if not keys:
        raise RefusedError(
            503,
            closed,
            why="DRAGONFLY_API_KEY is not set on this service",
            what_next="Set it on dragonfly-api and deploy again.",
        )
    if not _is_one_of(presented or "", keys):
        raise RefusedError(
            401,
            "Nothing was read or stored",
            why=f"the header {KEY_HEADER} is missing or holds no valid key",
            what_next="Send the key that dragonfly-api has in DRAGONFLY_API_KEY.",
        )


def _is_one_of(presented: str, keys: Sequence[Secret]) -> bool:
    # Every key is compared, and each in constant time, so that the time reveals nothing about any of them.
    matches = [hmac.compare_digest(presented.encode(), key.reveal().encode()) for key in keys]
    return any(matches)


UNLIMITED = "/api/live"  # Railway restarts a process that does not answer its health check
REAL_ADDRESS = "x-real-ip"  # Railway's edge writes the caller's address there
SUBSCRIBER_BITS = 64  # the prefix that a provider gives to one subscriber (RFC 6177)
REMEMBERED = 10_000  # addresses and keys; the least recently seen one is dropped first


class Allowance:
    """Allows `per_minute` requests at once, then more as the allowance refills. Times are seconds of a monotonic clock.

    It stores one number per name: the moment at which its whole allowance is back (a leaky bucket, "GCRA").
    """

    def __init__(self, per_minute: int, *, remembered: int = REMEMBERED) -> None:
        self._each_s = 60.0 / per_minute
        self._most_s = 60.0
        self._remembered = remembered
        self._back_at: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, name: str, now: float) -> float:
        """0 if the request may pass, which is then counted; otherwise the seconds until one may."""
        back_at = max(self._back_at.pop(name, now), now) + self._each_s
        wait_s = back_at - now - self._most_s
        passes = wait_s <= 1e-9  # rounding error of sums of sixtieths
        self._back_at[name] = back_at if passes else back_at - self._each_s
        if len(self._back_at) > self._remembered:
            self._back_at.popitem(last=False)
        return 0.0 if passes else wait_s


class RateLimits:
    """ASGI middleware that limits requests per address and per key. It stores only the hash of a key."""

    def __init__(
        self, app: ASGIApp, *, per_address: int, per_key: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._addresses = Allowance(per_address)
        self._keys = Allowance(per_key)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == UNLIMITED:
            await self._app(scope, receive, send)
            return
        wait_s = self._wait_s(scope)
        if wait_s <= 0:
            await self._app(scope, receive, send)
            return
        answer = refusal(_too_many(wait_s))
        answer.headers["Retry-After"] = str(math.ceil(wait_s))
        await answer(scope, receive, send)

    def _wait_s(self, scope: Scope) -> float:
        now, headers = self._clock(), Headers(scope=scope)
        wait_s = self._addresses.wait_s(_address_of(scope, headers), now)
        key = headers.get(KEY_HEADER)
        if wait_s > 0 or not key:
            return wait_s
        return self._keys.wait_s(hashlib.sha256(key.encode()).hexdigest(), now)


def _address_of(scope: Scope, headers: Headers) -> str:
    """The address that our proxy reports, which a client can't forge; without a proxy the peer's own.

    A proxy connects from a private network: a client on the internet can't claim another address.
    """
    peer = scope["client"][0] if scope.get("client") else ""
    forwarded = headers.get(REAL_ADDRESS, "")
    return subscriber_of(forwarded[:45] if forwarded and not _is_public(peer) else peer)


def subscriber_of(address: str) -> str:
    """The subscriber that an address belongs to: for IPv6 the /64, all of which one subscriber has. Text that is no
    address stays as it is."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, SUBSCRIBER_BITS), strict=False))


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _too_many(wait_s: float) -> RefusedError:
    return RefusedError(
        429,
        "The request was not processed",
        why="too many requests came from this address, or with this key, within a minute",
        what_next=f"Try again in {math.ceil(wait_s)} s.",
    )
