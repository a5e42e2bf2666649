"""Notifies people whose requests were interrupted because a replica died or stopped; leader only.

Slack does not deliver acknowledged requests again. A request is reported once, in the transaction that ends it.
"""

from __future__ import annotations

import asyncio
import hashlib

from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.slack.dedup import RENEW_S
from bot.views.interrupted import interrupted_message
from bot.wake_ups import WakeUps
from services.clients.postgres import deliveries
from services.clients.postgres.messages import store_content
from services.clients.postgres.pool import Connection, Database

EVERY_S = 5.0
SETTLES_S = RENEW_S + 4.0  # after a database outage, a live replica renews its claims within this time
AT_ONCE = 50


class InterruptedRequests(PeriodicTask):
    """Task that reports interrupted requests. `settles_s`: how long a request must look interrupted first."""

    name = "interrupted requests"
    interval_s = EVERY_S

    def __init__(self, database: Database, wake_ups: WakeUps, *, settles_s: float = SETTLES_S) -> None:
        super().__init__()
        self._database = database
        self._wake_ups = wake_ups
        self._settles_s = settles_s
        self._since: dict[str, float] = {}  # {key: event loop's time}

    async def tick(self, fence: Fence) -> None:
        since, self._since = self._since, {}  # restarts after a failed read: no replica can renew during an outage
        async with self._database.read() as conn:
            found = await deliveries.list_interrupted(conn, limit=AT_ONCE)
        now = asyncio.get_running_loop().time()
        self._since = {key: since.get(key, now) for key in found}
        due = [key for key, since in self._since.items() if now - since >= self._settles_s]
        if not due:
            return
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            for key in due:
                await _report(conn, key)
        self._wake_ups.outbox.set()


async def _report(conn: Connection, key: str) -> None:
    found = await deliveries.take_interrupted(conn, key=key)
    if found is not None:
        message_key = f"interrupted:{hashlib.sha256(key.encode()).hexdigest()[:32]}"
        await store_content(conn, message_key, found.user_id, interrupted_message(found))
