"""Reads what the audits, the gates and the doctor need, every source at the same time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from bot.facts._world import World
from bot.facts.gather import gather_env, gather_health, groups_of
from bot.facts.logs import gather_logs, read_due
from playbooks import doctor, preflight, prod_gate
from playbooks.checks import checkout, claiming, logs
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


async def gather_preflight(world: World, directory: Path | None) -> preflight.Facts:
    """`directory`: where the asker's checkout is, None where there is none."""
    async with asyncio.TaskGroup() as group:
        variables = group.create_task(gather_env(world, tuple(Service)))
        migrations = group.create_task(world.migrations())
        exposures = group.create_task(read_exposures(world))
        own = group.create_task(_read_checkout(world, directory))
    needed = [one for one in groups_of(*world.settings.invalid) if one.name in preflight.NEEDED]
    return preflight.Facts(needed, variables.result(), migrations.result(), exposures.result(), own.result())


async def _read_checkout(world: World, directory: Path | None) -> checkout.Facts:
    if directory is None:
        none = Unavailable("git", "no checkout here; run dragonfly preflight on a terminal, in yours")
        return checkout.Facts(none, none)
    found = await world.checkout(directory)
    if isinstance(found, Unavailable) or found.release is None:
        return checkout.Facts(found, is_pushed=False)
    return checkout.Facts(found, await world.is_pushed(directory, found.release.name))


async def _read_logs(world: World) -> list[logs.Facts]:
    return await gather_logs(world, tuple(Service), await world.railway_services())
