"""Makes the plan of a change from its name and its parameters alone: for the command, and for the runner again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from bot.commands import arguments as read
from bot.commands.deploy import gather_deploy
from bot.commands.golden_path import gather_golden_path
from bot.commands.redeploy import gather_redeploy
from bot.commands.requeue import gather_requeue, parse_jobs
from bot.commands.restart import gather_restart
from bot.commands.rollback_db import gather_rollback_db
from bot.commands.scale import gather_scale
from bot.commands.stop_workers import gather_stop_workers
from bot.commands.unlock import gather_unlock
from bot.config.environment import require
from bot.facts import MakePlan, Parameters
from bot.rollback_offer import gather_rollback
from bot.world import World
from playbooks import (
    deploy,
    golden_path,
    redeploy,
    requeue,
    restart,
    rollback,
    rollback_db,
    scale,
    stop_workers,
    unlock,
)
from playbooks.model import NextStep, NoPlan, Plan
from services.clients.postgres.migrations import read_environment
from services.clients.railway.quota import Purpose, at_least

PATIENCE_S = 1.5  # for whose database it is: an emergency does not wait for a database that hangs


async def plan_scale(parameters: Parameters, world: World) -> Plan | NoPlan:
    """`service`, `to`."""
    read.only(parameters, "service", "to")
    service = read.read_service(parameters)
    to = read.read_replicas(parameters, "to", largest=scale.MOST_REPLICAS)
    return scale.plan(await gather_scale(world, _environment(world), service), service, to)


async def plan_rollback(parameters: Parameters, world: World) -> Plan | NoPlan:
    """`service` (one, `workers` or `all`), `to` (a commit or a deployment); without `to` the answer is an offer."""
    read.only(parameters, "service", "to")
    scope, services = read.read_services(parameters)
    to = read.read_target(parameters, "to")
    return rollback.plan(await gather_rollback(world, _environment(world), services), scope, services, to)


async def plan_restart(parameters: Parameters, world: World) -> Plan | NoPlan:
    """`service`, `through_zero` ("yes")."""
    read.only(parameters, "service", "through_zero")
    service = read.read_service(parameters)
    through_zero = read.read_flag(parameters, "through_zero")
    return restart.plan(await gather_restart(world, _environment(world)), service, through_zero=through_zero)


async def plan_deploy(parameters: Parameters, world: World) -> Plan | NoPlan:
    """`service` (one, `workers` or `all`), `sha`."""
    read.only(parameters, "service", "sha")
    scope, services = read.read_services(parameters)
    sha = read.read_sha(parameters, "sha")
    return deploy.plan(await gather_deploy(world, _environment(world), services), scope, services, sha)


async def plan_redeploy(parameters: Parameters, world: World) -> Plan | NoPlan:
    """`service`."""
    read.only(parameters, "service")
    service = read.read_service(parameters)
    return redeploy.plan(await gather_redeploy(world, _environment(world)), service)


async def plan_requeue(parameters: Parameters, world: World) -> Plan | NoPlan:
    """`what` (a job's id, a group's name or `orphans`); `jobs`, the ids that the plan named, when it is made again."""
    read.only(parameters, "what", "jobs")
    what, job_ids = parse_jobs(parameters)
    return requeue.plan(await gather_requeue(world, _environment(world), what, job_ids), what)


async def plan_unlock(parameters: Parameters, world: World) -> Plan | NoPlan:
    """`service`, `reason`."""
    read.only(parameters, "service", "reason")
    service = read.read_service(parameters)
    reason = read.read_reason(parameters, "unlock api mended in e4f5a6b")
    return unlock.plan(await gather_unlock(world, _environment(world), service), service, reason)


async def plan_stop_workers(parameters: Parameters, world: World) -> Plan | NoPlan:
    """`service` (`ingest`, `enforcement` or `workers`, which is meant without it), `reason`."""
    read.only(parameters, "service", "reason")
    services = read.read_workers(parameters)
    reason = read.read_reason(parameters) if parameters.get("reason") else ""
    return stop_workers.plan(await gather_stop_workers(world, _environment(world)), services, reason)


async def plan_rollback_db(parameters: Parameters, world: World) -> Plan | NoPlan:
    """`version`, `with_api` ("yes")."""
    read.only(parameters, "version", "with_api")
    version = read.read_version(parameters)
    with_api = read.read_flag(parameters, "with_api")
    return rollback_db.plan(await gather_rollback_db(world, _environment(world)), version, with_api=with_api)


async def plan_golden_path(parameters: Parameters, world: World) -> Plan | NoPlan:
    """`keep` or `clean` ("yes")."""
    read.only(parameters, "keep", "clean")
    keep, clean = read.read_flag(parameters, "keep"), read.read_flag(parameters, "clean")
    facts = await gather_golden_path(world, _environment(world))
    return golden_path.plan_clean(facts) if clean else golden_path.plan(facts, keep=keep)


def _environment(world: World) -> str:
    """Raises OperatorError when the settings do not say it: it is part of what is approved."""
    return require(world.settings.identity).environment


def _of_our_environment(make: MakePlan) -> MakePlan:
    """The same, but never for a database that belongs to another environment than the bot's settings name."""

    async def made(parameters: Parameters, world: World) -> Plan | NoPlan:
        owner = asyncio.create_task(_read_owner(world))
        try:
            with at_least(Purpose.PLAN):
                plan = await make(parameters, world)
            return _refuse_foreign(plan, await owner)
        finally:
            owner.cancel()

    return made


async def _read_owner(world: World) -> str | None:
    """The environment that the database belongs to; None when nobody has said it, or it does not answer."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            named = await world.read(read_environment)
    except TimeoutError:
        return None
    return named if isinstance(named, str) else None


def _refuse_foreign(plan: Plan | NoPlan, owner: str | None) -> Plan | NoPlan:
    if isinstance(plan, NoPlan) or owner in (None, plan.environment):
        return plan
    return NoPlan(
        f"the database belongs to {owner}, and the bot's settings say {plan.environment}",
        "mend ENVIRONMENT or SUPABASE_DB_URL before anything is changed",
        (NextStep("Check the settings", "check-config"),),
    )


# Each takes and gives back parameters such that its plan can be made again from `plan.parameters`. Raises UsageError
# for parameters that do not fit.
PLANS: Mapping[str, MakePlan] = MappingProxyType(
    {
        "deploy": _of_our_environment(plan_deploy),
        "golden-path": _of_our_environment(plan_golden_path),
        "redeploy": _of_our_environment(plan_redeploy),
        "requeue": _of_our_environment(plan_requeue),
        "restart": _of_our_environment(plan_restart),
        "rollback": _of_our_environment(plan_rollback),
        "rollback-db": _of_our_environment(plan_rollback_db),
        "scale": _of_our_environment(plan_scale),
        "stop-workers": _of_our_environment(plan_stop_workers),
        "unlock": _of_our_environment(plan_unlock),
    }
)
