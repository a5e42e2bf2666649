"""Gathers the facts of a rollback, and finds the candidates."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bot.facts.plan import environment_of, examine, gather_load, operated_titles
from bot.world import World
from playbooks.model import NoPlan
from playbooks.rollback import Facts, find_offer
from playbooks.rollback_advice import Offer
from playbooks.rollback_candidates import served_periods
from services.clients.postgres.operated import list_job_outcomes
from services.clients.railway.client import RailwayClient
from services.domain.deployments import Deployment
from services.domain.errors import Unavailable
from services.domain.jobs import JobOutcomes
from services.domain.services import Service

REMEMBERED = 50  # deployments per service: more than Railway keeps images of


async def gather_rollback(world: World, services: Sequence[Service]) -> Facts:
    """Gather the facts. Takes as long as the slowest source, plus one query for the outcomes of jobs."""
    environment = environment_of(world)
    async with asyncio.TaskGroup() as group:
        changes = {
            one: group.create_task(world.ask_railway(RailwayClient.list_variable_changes, one)) for one in services
        }
        listed = {
            one: group.create_task(world.ask_railway(RailwayClient.list_deployments, one, limit=REMEMBERED))
            for one in services
        }
        states = group.create_task(world.railway_services())
        migrations = group.create_task(world.migrations())
        load = group.create_task(gather_load(world))
    deployments = {service: task.result() for service, task in listed.items()}
    now = load.result().as_of or datetime.now(UTC)
    status = migrations.result()
    return Facts(
        environment=environment,
        now=now,
        states=states.result(),
        deployments=deployments,
        outcomes=await _read_outcomes(world, deployments, now),
        migrations=status,
        load=load.result(),
        schema={} if isinstance(status, Unavailable) else await examine(world, operated_titles(world, status)),
        variable_changes={service: task.result() for service, task in changes.items()},
    )


async def _read_outcomes(
    world: World, deployments: Mapping[Service, Sequence[Deployment] | Unavailable], now: datetime
) -> dict[str, JobOutcomes] | Unavailable:
    """Read `{deployment id: outcomes of the jobs while it was active}`."""
    known = [listed for listed in deployments.values() if not isinstance(listed, Unavailable)]
    periods = [period for listed in known for period in served_periods(listed, now)]
    outcomes = await world.read(list_job_outcomes, spans=[(period.begin, period.end) for period in periods])
    if isinstance(outcomes, Unavailable):
        return outcomes
    return {period.deployment_id: outcome for period, outcome in zip(periods, outcomes, strict=True)}


async def read_offer(scope: str, world: World) -> Offer:
    """Find the possible rollback candidates for the services of `scope`, best first; none if Railway is unavailable."""
    services = world.system.find_services(scope) or ()
    found = find_offer(await gather_rollback(world, services), scope, services)
    if isinstance(found, NoPlan):
        return Offer(())
    return replace(found, candidates=tuple(one for one in found.candidates if one.is_possible))
