"""Railway's webhook. It is unsigned, so it only triggers a refresh: the actual state is read from Railway.

Of the content, only the environment is used, because a project's webhook reports all of them. Facts that Railway's API
does not report are shown as Railway's statement (`bot.railway.notices`).

The replica that is called wakes all others through Postgres, because only one of them leads.
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

EVERY_S = 2.0  # a deployment causes several events; one read after them is enough


class RefreshNotices:
    """Passes the webhook's wake-ups on to all replicas: the first immediately, then at most one per `every_s`.

    If Postgres delivers no notices (through a transaction pooler), this process wakes itself.
    """

    def __init__(self, database: Database, wake_ups: WakeUps, *, every_s: float = EVERY_S) -> None:
        self._database = database
        self._wake_ups = wake_ups
        self._every_s = every_s

    async def run(self) -> None:
        """Pass wake-ups on until cancelled. A call during the pause is passed on after it."""
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


MAX_BODY = 64_000  # bytes; a commit message is the longest part
WRONG_A_MINUTE = 30  # wrong secrets; beyond that the answer is 429


async def notifies_no_one(body: bytes) -> None:
    """Ignore the event: the default of `notify`."""


def add_railway_hook(
    app: FastAPI,
    *,
    secrets: Sequence[Secret],
    environment_id: str | None,
    wake_up: WakeUp,
    notify: Callable[[bytes], Awaitable[None]] = notifies_no_one,
) -> None:
    """Add the webhook's route. During a rotation two secrets are accepted. `environment_id` is ours; None accepts
    events of any. `notify` shows events that Railway's API does not report; if it fails, Railway is asked to send the
    event again."""
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
                logger.warning("a Railway event was not processed: %s", error.why)
                return Response(status_code=503)
        return Response(status_code=202)


def may_concern(body: bytes, environment_id: str | None) -> bool:
    """True if the event may be about our environment: unless it clearly names another one.

    The current format has it in `resource.environment.id`, the one until 2025 in `environment.id`.
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
