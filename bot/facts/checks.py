"""Reads what the audits, the gates and the doctor need, every source at the same time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.facts._world import World
from bot.facts.gather import gather_env, gather_health
from bot.facts.logs import gather_logs, read_due
from playbooks import doctor, prod_gate
from playbooks.checks import claiming, logs
from services.domain.errors import Unavailable
from services.domain.security import Exposure
from services.domain.services import Service
from services.postgres.security import list_exposures

FAILED_WITHIN = timedelta(hours=1)  # the runbook's query


async def read_exposures(world: World) -> list[Exposure] | Unavailable:
    return await world.read(list_exposures)


async def gather_gate(world: World) -> prod_gate.Facts:
    """Takes as long as the slowest source."""
    async with asyncio.TaskGroup() as group:
        seen = group.create_task(gather_health(world))
        drift = group.create_task(world.drift())
        exposures = group.create_task(read_exposures(world))
    return prod_gate.Facts(seen.result(), drift.result(), exposures.result())


async def gather_doctor(world: World) -> doctor.Facts:
    """Takes as long as the slowest source, or Railway twice: it has to say what runs before it is asked for its log."""
    async with asyncio.TaskGroup() as group:
        seen = group.create_task(gather_health(world))
        variables = group.create_task(gather_env(world, tuple(Service)))
        due = group.create_task(read_due(world))
        failed = group.create_task(world.failed_jobs(FAILED_WITHIN))
        roles = group.create_task(world.session_roles())
        told = group.create_task(_read_logs(world))
        drift = group.create_task(world.drift())
        endpoints = group.create_task(world.endpoints())
        exposures = group.create_task(read_exposures(world))
    health = seen.result()
    return doctor.Facts(
        health=health,
        env=variables.result(),
        claiming=claiming.Facts(health.as_of, health.stale_after, health.heartbeats, due.result()),
        failed=failed.result(),
        roles=roles.result(),
        logs=told.result(),
        drift=drift.result(),
        endpoints=endpoints.result(),
        exposures=exposures.result(),
    )


async def _read_logs(world: World) -> list[logs.Facts]:
    return await gather_logs(world, tuple(Service), await world.railway_services())
