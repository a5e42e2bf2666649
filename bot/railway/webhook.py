"""Railway's webhook. It is unsigned, so its content is not trusted: it only triggers a refresh.

Nothing in it is believed. It says only that something may have happened, and what is true is read from Railway. The
environment is looked at, because a project's webhook reports all of them, and what Railway's API does not report is
shown as Railway's word (`bot.railway.notices`).

Whichever replica it calls, all are woken through Postgres, because only one of them leads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from bot.wake_ups import WakeUp, WakeUps
from bot.web.app import read_body
from bot.web.guesses import Guesses, is_one_of
from services.clients.postgres.listen import notify_refresh
from services.clients.postgres.pool import Database
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.text import read_json

logger = logging.getLogger(__name__)

EVERY_S = 2.0  # a deployment comes as several events; reading once after them is enough


class RefreshNotices:
    """Passes the webhook's wake-ups on to all replicas: the first at once, then one per `every_s` at most.

    Where no notices of Postgres arrive (a transaction pooler), this process wakes itself.
    """

    def __init__(self, database: Database, wake_ups: WakeUps, *, every_s: float = EVERY_S) -> None:
        self._database = database
        self._wake_ups = wake_ups
        self._every_s = every_s

    async def run(self) -> None:
        """Until cancelled. A call during the pause counts: it is passed on after it."""
        called = asyncio.Event()
        with self._wake_ups.webhook.listen(called.set):
            while True:
                await called.wait()
                called.clear()
                await self._pass_on()
                await asyncio.sleep(self._every_s)

    async def _pass_on(self) -> None:
        try:
            async with self._database.transaction() as conn:
                await notify_refresh(conn)
        except SourceError as error:
            logger.warning("a refresh notice stays in this process: %s", error.why)
            self._wake_ups.refresh.set()
            return
        if not self._wake_ups.has_notices:
            self._wake_ups.refresh.set()


MAX_BODY = 64_000  # bytes; a commit message is the longest thing in it
WRONG_A_MINUTE = 30  # guesses at the secret; then even looking at them stops


async def notifies_no_one(body: bytes) -> None:
    """What `notify` does when nothing else is given."""


def add_railway_hook(
    app: FastAPI,
    *,
    secrets: Sequence[Secret],
    environment_id: str | None,
    wake_up: WakeUp,
    notify: Callable[[bytes], Awaitable[None]] = notifies_no_one,
) -> None:
    """Two secrets are accepted during a rotation. `environment_id` is ours; None takes events of any. `notify` shows
    what Railway's API does not report; where it fails, Railway is asked to send the event again."""
    guesses = Guesses(WRONG_A_MINUTE, "/hooks/railway")

    @app.post("/hooks/railway/{secret}")
    async def hook(secret: str, request: Request) -> Response:
        if not is_one_of(secret, secrets):
            return Response(status_code=404 if guesses.count(time.monotonic()) else 429)
        body = await read_body(request, limit=MAX_BODY)
        if len(body) > MAX_BODY:
            return Response(status_code=413)
        if may_concern(body, environment_id):
            wake_up.set()
            try:
                await notify(body)
            except SourceError as error:
                logger.warning("an event of Railway was not taken: %s", error.why)
                return Response(status_code=503)
        return Response(status_code=202)


def may_concern(body: bytes, environment_id: str | None) -> bool:
    """Whether an event may be about our environment: unless it says clearly that it is about another one.

    The form of today has it in `resource.environment.id`, the one until 2025 in `environment.id`.
    """
    workspace_id = _environment_id(body)
    return environment_id is None or workspace_id is None or workspace_id == environment_id


def _environment_id(body: bytes) -> str | None:
    try:
        event = read_json(body)
    except (ValueError, RecursionError):
        return None
    workspace_id = _get(_get(event, "resource"), "environment") or _get(event, "environment")
    found = _get(workspace_id, "id")
    return found if isinstance(found, str) and found else None


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
