"""Reads the facts of `playbooks.unlock`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from bot.facts._world import World
from playbooks.unlock import Facts
from services.domain.services import Service


async def gather_unlock(world: World, environment: str, service: Service) -> Facts:
    async with asyncio.TaskGroup() as group:
        locks = group.create_task(world.locks())
        auto_deploy = group.create_task(world.auto_deploy(service))
    return Facts(environment, datetime.now(UTC), locks.result(), auto_deploy.result())
