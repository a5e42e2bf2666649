"""Gathers the recent changes: deployments, migrations, runs and scalings."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from bot.world import World
from playbooks.recent_changes import LOOK_BACK, Facts
from services.clients.postgres.deployments import list_replica_changes
from services.clients.postgres.pool import Connection
from services.clients.postgres.runs import list_runs
from services.clients.railway.client import RailwayClient
from services.domain.deployments import ReplicaChange

DEPLOYMENTS, RUNS, SCALINGS = 10, 30, 30  # more than happen in 2 hours


async def gather_recent_changes(world: World) -> Facts:
    """Gather the changes of the last 2 hours. Takes as long as the slowest source."""
    services = (await world.recognized()).services
    async with asyncio.TaskGroup() as group:
        listed = {
            one: group.create_task(world.ask_railway(RailwayClient.list_deployments, one, limit=DEPLOYMENTS))
            for one in services
        }
        migrations = group.create_task(world.migrations())
        runs = group.create_task(world.read(list_runs, limit=RUNS))
        scaled = group.create_task(world.read(_list_scalings))
    deployments = {service: task.result() for service, task in listed.items()}
    return Facts(deployments, migrations.result(), runs.result(), scaled.result(), datetime.now(UTC))


async def _list_scalings(conn: Connection) -> list[ReplicaChange]:
    return await list_replica_changes(conn, within=LOOK_BACK, limit=SCALINGS)
