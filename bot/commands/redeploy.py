"""`redeploy <service>`: redeploys the active deployment with the current variables."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from bot.commands.arguments import need_service, no_more, only, read_service
from bot.facts.plan import Parameters, environment_of, gather_load
from bot.world import World
from playbooks import redeploy as playbook
from playbooks.model import NoPlan
from playbooks.plan import Plan


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """Parse `service`. Raises UsageError."""
    service = need_service(words, "redeploy api")
    no_more(words, 1)
    return {"service": service.short}


async def plan(parameters: Parameters, world: World) -> Plan | NoPlan:
    """Plan from `service`."""
    only(parameters, "service")
    service = read_service(parameters, world.system)
    return playbook.plan(await _gather(world), service)


async def _gather(world: World) -> playbook.Facts:
    environment = environment_of(world)
    async with asyncio.TaskGroup() as group:
        states = group.create_task(world.railway_services())
        locks = group.create_task(world.locks())
        load = group.create_task(gather_load(world))
    now = load.result().as_of or datetime.now(UTC)
    return playbook.Facts(environment, now, states.result(), locks.result(), load.result())
