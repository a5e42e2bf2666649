"""`restart <service> [--through-zero]`: restarts the active deployment, without a build."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bot.commands.arguments import need_service, no_more, only, read_flag, read_service
from bot.facts.plan import Parameters, environment_of, gather_load
from bot.world import World
from playbooks import restart as playbook
from playbooks.model import NoPlan
from playbooks.plan import Plan

THROUGH_ZERO = "--through-zero"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """Parse `service`, and `through_zero` ("yes") for `--through-zero`. Raises UsageError."""
    rest = tuple(word for word in words if word != THROUGH_ZERO)
    service = need_service(rest, "restart ingest")
    no_more(rest, 1)
    return {"service": service.short} | ({"through_zero": "yes"} if len(rest) < len(words) else {})


async def plan(parameters: Parameters, world: World) -> Plan | NoPlan:
    """Plan from `service` and `through_zero` ("yes")."""
    only(parameters, "service", "through_zero")
    service = read_service(parameters, world.system)
    through_zero = read_flag(parameters, "through_zero")
    return playbook.plan(await _gather(world), service, through_zero=through_zero)


async def _gather(world: World) -> playbook.Facts:
    environment = environment_of(world)
    async with asyncio.TaskGroup() as group:
        states = group.create_task(world.railway_services())
        load = group.create_task(gather_load(world))
    return playbook.Facts(environment, states.result(), load.result())
