"""Reads the facts of `playbooks.redeploy`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from bot.facts._world import World
from bot.facts.changes._load import gather_load
from playbooks.redeploy import Facts


async def gather_redeploy(world: World, environment: str) -> Facts:
    async with asyncio.TaskGroup() as group:
        states = group.create_task(world.railway_services())
        locks = group.create_task(world.locks())
        load = group.create_task(gather_load(world))
    now = load.result().as_of or datetime.now(UTC)
    return Facts(environment, now, states.result(), locks.result(), load.result())
