"""Reads the facts of `playbooks.deploy`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

from bot.facts._world import World
from bot.facts.changes._load import gather_load
from bot.facts.changes.rollback import REMEMBERED
from playbooks.deploy import Facts
from services.domain.services import Service


async def gather_deploy(world: World, environment: str, services: Iterable[Service]) -> Facts:
    async with asyncio.TaskGroup() as group:
        listed = {one: group.create_task(world.deployments(one, limit=REMEMBERED)) for one in services}
        states = group.create_task(world.railway_services())
        locks = group.create_task(world.locks())
        migrations = group.create_task(world.migrations())
        load = group.create_task(gather_load(world))
    return Facts(
        environment=environment,
        now=load.result().as_of or datetime.now(UTC),
        states=states.result(),
        deployments={service: task.result() for service, task in listed.items()},
        locks=locks.result(),
        migrations=migrations.result(),
        load=load.result(),
    )
