"""Reads what the services do at the moment."""

from __future__ import annotations

import asyncio

from bot.facts._world import World
from playbooks._load import Load
from services.domain.errors import Unavailable

RUNNING = 500  # jobs in processing that are looked at: more than there can be workers


async def gather_load(world: World) -> Load:
    async with asyncio.TaskGroup() as group:
        queue = group.create_task(world.queue())
        running = group.create_task(world.running_jobs(limit=RUNNING))
        beats = group.create_task(world.heartbeats())
    reading = beats.result()
    return Load(
        stale_after=world.settings.stale_after,
        queue=queue.result(),
        running=running.result(),
        beats=reading if isinstance(reading, Unavailable) else reading.rows,
        all_visible=isinstance(reading, Unavailable) or reading.all_visible,
    )
