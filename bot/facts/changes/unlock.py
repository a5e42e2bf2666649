"""Reads the facts of `playbooks.unlock`."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.facts._world import World
from playbooks.unlock import Facts


async def gather_unlock(world: World, environment: str) -> Facts:
    return Facts(environment, datetime.now(UTC), await world.locks())
