"""`unlock <service> <reason>`: lifts the lock and the freeze that a rollback left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from bot.commands.arguments import example_of, need_service, only, parse_reason, read_reason, read_service
from bot.facts.plan import Parameters, environment_of
from bot.world import World
from playbooks import unlock as playbook
from playbooks.model import NoPlan
from playbooks.plan import Plan
from services.clients.railway.client import RailwayClient
from services.domain.services import Service

EXAMPLE = "unlock api fixed in 9f8e7d6c"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """Parse `service` and `reason`. Raises UsageError."""
    service = need_service(words, EXAMPLE)
    return {"service": service.short, "reason": parse_reason(words[1:], example_of(EXAMPLE, service.short))}


async def plan(parameters: Parameters, world: World) -> Plan | NoPlan:
    """Plan from `service` and `reason`."""
    only(parameters, "service", "reason")
    service = read_service(parameters, world.system)
    reason = read_reason(parameters, EXAMPLE)
    return playbook.plan(await _gather(world, service), service, reason)


async def _gather(world: World, service: Service) -> playbook.Facts:
    environment = environment_of(world)
    async with asyncio.TaskGroup() as group:
        locks = group.create_task(world.locks())
        freezes = group.create_task(world.freezes())
        auto_deploy = group.create_task(world.ask_railway(RailwayClient.read_auto_deploy, service))
    return playbook.Facts(environment, datetime.now(UTC), locks.result(), auto_deploy.result(), freezes.result())
