"""Reads what changed lately, every source at the same time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from bot.facts._world import World
from bot.facts.journal import read_runs
from playbooks._recent_changes import Facts
from services.domain.services import Service

DEPLOYMENTS, RUNS = 10, 30  # as many as two hours hold


async def gather_recent_changes(world: World) -> Facts:
    """Takes as long as the slowest source."""
    async with asyncio.TaskGroup() as group:
        listed = {one: group.create_task(world.deployments(one, limit=DEPLOYMENTS)) for one in Service}
        migrations = group.create_task(world.migrations())
        runs = group.create_task(read_runs(world, limit=RUNS))
    deployments = {service: task.result() for service, task in listed.items()}
    return Facts(deployments, migrations.result(), runs.result(), datetime.now(UTC))
