"""Reads what the audits and gates need, every source at the same time."""

from __future__ import annotations

import asyncio

from bot.facts._world import World
from bot.facts.gather import gather_health
from playbooks import prod_gate
from services.domain.errors import Unavailable
from services.domain.security import Exposure
from services.postgres.security import list_exposures


async def read_exposures(world: World) -> list[Exposure] | Unavailable:
    return await world.read(list_exposures)


async def gather_gate(world: World) -> prod_gate.Facts:
    """Takes as long as the slowest source."""
    async with asyncio.TaskGroup() as group:
        seen = group.create_task(gather_health(world))
        drift = group.create_task(world.drift())
        exposures = group.create_task(read_exposures(world))
    return prod_gate.Facts(seen.result(), drift.result(), exposures.result())
