"""Railway's webhook. It is unsigned, so its content is not trusted: it only triggers a refresh.

Nothing in it is believed or shown. It says only that something may have happened, and what is true is read from
Railway. The one thing looked at is the environment, because a project's webhook tells of all of them.

Whichever replica hears it, all are told through Postgres, because only one of them leads. Who wants to know `listen`s.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from bot.web.app import read_body
from services.clients.postgres.listen import notify_hint
from services.clients.postgres.pool import Database
from services.domain.errors import SourceError
from services.domain.secrets import Secret

logger = logging.getLogger(__name__)

EVERY_S = 2.0  # a deployment comes as several events; reading once after them is enough


class RefreshNotices:
    """`give` may be called as often as anybody likes: listeners are rung at once, then every two seconds at most.

    `hears`: whether notices of Postgres arrive here. Where none do (a transaction pooler), this process rings itself.
    """

    def __init__(self, database: Database, *, hears: Callable[[], bool], every_s: float = EVERY_S) -> None:
        self._database = database
        self._hears = hears
        self._every_s = every_s
        self._listeners: list[Callable[[], None]] = []
        self._given = asyncio.Event()

    def listen(self, ring: Callable[[], None]) -> None:
        """Call `ring` after each hint; it must not wait."""
        self._listeners.append(ring)

    def give(self) -> None:
        """Something may have happened at Railway. A hint during the pause counts: it is passed on after it."""
        self._given.set()

    def heard(self) -> None:
        """Another replica, or this one, passed a hint on."""
        for ring in self._listeners:
            ring()

    async def run(self) -> None:
        """Pass hints on, until cancelled."""
        while True:
            await self._given.wait()
            self._given.clear()
            await self._pass_on()
            await asyncio.sleep(self._every_s)

    async def _pass_on(self) -> None:
        try:
            async with self._database.transaction() as conn:
                await notify_hint(conn)
        except SourceError as error:
            logger.warning("a hint stays in this process: %s", error.why)
            self.heard()
            return
        if not self._hears():
            self.heard()


MAX_BODY = 64_000  # bytes; a commit message is the longest thing in it
WRONG_A_MINUTE = 30  # guesses at the secret; then even looking at them stops


def add_railway_hook(
    app: FastAPI, *, secrets: Sequence[Secret], environment_id: str | None, give_hint: Callable[[], None]
) -> None:
    """Two secrets are accepted during a rotation. `environment_id` is ours; None takes hints of any."""
    guesses = Guesses(WRONG_A_MINUTE)

    @app.post("/hooks/railway/{secret}")
    async def hook(secret: str, request: Request) -> Response:
        if not is_one_of(secret, secrets):
            return Response(status_code=404 if guesses.count(time.monotonic()) else 429)
        body = await read_body(request, limit=MAX_BODY)
        if len(body) > MAX_BODY:
            return Response(status_code=413)
        if may_concern(body, environment_id):
            give_hint()
        return Response(status_code=202)


class Guesses:
    """Counts wrong secrets, `limit` in each minute."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._minute = 0
        self._count = 0

    def count(self, now_s: float) -> bool:
        """Whether this one is still within the limit."""
        if int(now_s // 60) != self._minute:
            self._minute, self._count = int(now_s // 60), 0
        self._count += 1
        if self._count == self._limit + 1:
            logger.warning("/hooks/railway: more than %d wrong secrets in a minute", self._limit)
        return self._count <= self._limit


def is_one_of(given: str, secrets: Sequence[Secret]) -> bool:
    """In constant time: all are compared, whichever fits."""
    found = [hmac.compare_digest(given.encode(), secret.reveal().encode()) for secret in secrets]
    return any(found)


def may_concern(body: bytes, environment_id: str | None) -> bool:
    """Whether an event may be about our environment: unless it says clearly that it is about another one.

    The form of today has it in `resource.environment.id`, the one until 2025 in `environment.id`.
    """
    told = _environment_id(body)
    return environment_id is None or told is None or told == environment_id


def _environment_id(body: bytes) -> str | None:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return None
    told = _get(_get(event, "resource"), "environment") or _get(event, "environment")
    found = _get(told, "id")
    return found if isinstance(found, str) and found else None


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
