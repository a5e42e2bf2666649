"""Reads the facts of `playbooks.rollback_db`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from bot.facts._world import World
from bot.facts.changes._load import gather_load
from bot.facts.changes.rollback import REMEMBERED
from bot.settings import DatabaseSettings
from playbooks.rollback_db import Facts
from services.domain.services import Service
from services.postgres.rollbacks import read_rollbacks


async def gather_rollback_db(world: World, environment: str) -> Facts:
    database = world.settings.database
    async with asyncio.TaskGroup() as group:
        listed = {one: group.create_task(world.deployments(one, limit=REMEMBERED)) for one in Service}
        states = group.create_task(world.railway_services())
        migrations = group.create_task(world.migrations())
        load = group.create_task(gather_load(world))
        rollbacks = group.create_task(asyncio.to_thread(read_rollbacks, world.settings.changing.rollbacks))
    return Facts(
        environment=environment,
        now=load.result().as_of or datetime.now(UTC),
        states=states.result(),
        deployments={service: task.result() for service, task in listed.items()},
        migrations=migrations.result(),
        rollbacks=rollbacks.result(),
        load=load.result(),
        may_undo=isinstance(database, DatabaseSettings) and database.rollback_url is not None,
    )
