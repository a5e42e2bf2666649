"""What every change's plan is made from: the environment, and the load that it meets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from bot.config.environment import require
from bot.world import World
from playbooks.change_parts import Load
from playbooks.model import NoPlan
from playbooks.plan import Plan
from services.clients.postgres.operated import (
    list_running_jobs,
    read_heartbeats,
)
from services.domain.errors import Unavailable

RUNNING = 500  # jobs in processing that are looked at: more than there can be workers


async def gather_load(world: World) -> Load:
    async with asyncio.TaskGroup() as group:
        queue = group.create_task(world.queue())
        running = group.create_task(world.read(list_running_jobs, limit=RUNNING))
        beats = group.create_task(world.read(read_heartbeats))
    reading = beats.result()
    return Load(
        stale_after=world.settings.stale_after,
        queue=queue.result(),
        running=running.result(),
        beats=reading if isinstance(reading, Unavailable) else reading.rows,
        all_visible=isinstance(reading, Unavailable) or reading.all_visible,
        system=world.system,
    )


Parameters = Mapping[str, str]
MakePlan = Callable[[Parameters, World], Awaitable[Plan | NoPlan]]


def environment_of(world: World) -> str:
    """Raises OperatorError when the settings do not report it: it is part of what is approved."""
    return require(world.settings.identity).environment
