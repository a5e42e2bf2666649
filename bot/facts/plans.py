"""Makes the plan of a change from its name and its parameters alone: for the command, and for the runner again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from bot.facts._world import World
from bot.facts.changes import _parameters as read
from bot.facts.changes.restart import gather_restart
from bot.facts.changes.rollback import gather_rollback
from bot.facts.changes.scale import gather_scale
from bot.settings import require
from playbooks import restart, rollback, scale
from playbooks._contract import NoPlan, Plan

Parameters = Mapping[str, str]
MakePlan = Callable[[Parameters, World], Awaitable[Plan | NoPlan]]


async def plan_scale(parameters: Parameters, world: World) -> Plan | NoPlan:
    """`service`, `to`."""
    read.only(parameters, "service", "to")
    service = read.read_service(parameters)
    to = read.read_count(parameters, "to", largest=scale.MOST_REPLICAS)
    return scale.plan(await gather_scale(world, _environment(world)), service, to)


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


def _environment(world: World) -> str:
    """Raises OperatorError when the settings do not say it: it is part of what is approved."""
    return require(world.settings.identity).environment


# Each takes and gives back parameters such that its plan can be made again from `plan.parameters`. Raises UsageError
# for parameters that do not fit.
PLANS: Mapping[str, MakePlan] = MappingProxyType(
    {
        "restart": plan_restart,
        "rollback": plan_rollback,
        "scale": plan_scale,
    }
)
