"""How many workers should run, asked of Railway seldom and never waited for long.

A page must not wait for Railway: what it said last is good enough, and fresh numbers arrive for the next look.
"""

from __future__ import annotations

import asyncio

from bot.facts import KnownReplicas, World
from services.domain.deployments import Deployment
from services.domain.errors import Unavailable

EVERY_S = 15.0  # 240 an hour: a quarter of what the smallest paid plan allows (railway-api.md)
PATIENCE_S = 1.0


class Replicas:
    """Keeps the last answer. `last_deploy` is the newest deployment that serves, of any service."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: KnownReplicas | None = None
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self.last_deploy: Deployment | None = None

    async def known(self) -> KnownReplicas:
        """The counts as last told; asks when they are old, and waits a second for the answer, longer the first time."""
        now = asyncio.get_running_loop().time()
        if self._asking is None and now - self._asked_at >= EVERY_S:
            self._asked_at = now
            self._asking = asyncio.create_task(self._ask())
        if self._asking is not None:
            await asyncio.wait({self._asking}, timeout=None if self._known is None else PATIENCE_S)
            if self._asking.done():
                self._asking = None
        return self._known or self._world.expected_replicas(Unavailable("Railway", "not asked yet"))

    async def close(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self) -> None:
        services = await self._world.railway_services()
        self._known = self._world.expected_replicas(services)
        if not isinstance(services, Unavailable):
            serving = [state.serving for state in services.values() if state.serving is not None]
            self.last_deploy = max(serving, key=lambda deployment: deployment.created_at, default=None)
