"""Gathers the facts of `doctor` and `prod-gate`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.facts.health import gather_health
from bot.facts.logs import gather_logs, read_due
from bot.facts.preflight import gather_env
from bot.world import World
from playbooks import doctor, prod_gate
from playbooks.checks import logs
from playbooks.checks import queue as claiming
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres.drift import read_drift
from services.clients.postgres.operated import (
    list_exposures,
    list_failed_jobs,
    list_session_roles,
    list_unclaimed,
)

FAILED_WITHIN = timedelta(hours=1)  # as in the runbook's query


async def gather_gate(world: World) -> prod_gate.Facts:
    """Gather the facts of `prod-gate`. Takes as long as the slowest source."""
    async with asyncio.TaskGroup() as group:
        seen = group.create_task(gather_health(world))
        drift = group.create_task(world.read(read_drift))
        exposures = group.create_task(world.read(list_exposures))
    return prod_gate.Facts(seen.result(), drift.result(), exposures.result())


async def gather_doctor(world: World) -> doctor.Facts:
    """Gather the facts of `doctor`. As slow as the slowest source, or Railway twice: first deployments, then logs."""
    system = await world.recognized()
    async with asyncio.TaskGroup() as group:
        seen = group.create_task(gather_health(world))
        variables = group.create_task(gather_env(world, system.services))
        due = group.create_task(read_due(world))
        unclaimed = group.create_task(world.read(list_unclaimed, job_types=system.job_types))
        failed = group.create_task(world.read(list_failed_jobs, window=FAILED_WITHIN, limit=500))
        roles = group.create_task(world.read(list_session_roles))
        log_reads = group.create_task(_read_logs(world))
        drift = group.create_task(world.read(read_drift))
        endpoints = group.create_task(world.ask_api(DragonflyApi.read_endpoints))
        exposures = group.create_task(world.read(list_exposures))
    health = seen.result()
    return doctor.Facts(
        health=health,
        env=variables.result(),
        claiming=claiming.ClaimingFacts(
            health.as_of,
            health.stale_after,
            health.heartbeats,
            due.result(),
            system=system,
            unclaimed=unclaimed.result(),
        ),
        failed=failed.result(),
        roles=roles.result(),
        logs=log_reads.result(),
        drift=drift.result(),
        endpoints=endpoints.result(),
        exposures=exposures.result(),
    )


async def _read_logs(world: World) -> list[logs.Facts]:
    return await gather_logs(world, (await world.recognized()).services, await world.railway_services())
