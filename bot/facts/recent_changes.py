"""Reads what changed lately, every source at the same time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from bot.facts._world import World
from bot.facts.journal import read_runs
from playbooks._recent_changes import LOOK_BACK, Facts
from services.domain.deployments import ReplicaChange
from services.domain.services import Service
from services.postgres.observed import list_replica_changes
from services.postgres.pool import Connection

DEPLOYMENTS, RUNS, SCALINGS = 10, 30, 30  # as many as two hours hold


async def gather_recent_changes(world: World) -> Facts:
    """Takes as long as the slowest source."""
    async with asyncio.TaskGroup() as group:
        listed = {one: group.create_task(world.deployments(one, limit=DEPLOYMENTS)) for one in Service}
        migrations = group.create_task(world.migrations())
        runs = group.create_task(read_runs(world, limit=RUNS))
        scaled = group.create_task(world.read(_list_scalings))
    deployments = {service: task.result() for service, task in listed.items()}
    return Facts(deployments, migrations.result(), runs.result(), scaled.result(), datetime.now(UTC))


async def _list_scalings(conn: Connection) -> list[ReplicaChange]:
    return await list_replica_changes(conn, within=LOOK_BACK, limit=SCALINGS)
