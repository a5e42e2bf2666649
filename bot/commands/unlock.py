"""`unlock <service> <reason>`: lift the lock and the freeze that a rollback left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from bot.commands.arguments import need_service, parse_reason
from bot.world import World
from playbooks.unlock import Facts
from services.clients.railway.client import RailwayClient
from services.domain.services import Service

EXAMPLE = "unlock api fixed in 9f8e7d6c"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`service`, `reason`."""
    service = need_service(words, EXAMPLE)
    return {"service": service.short, "reason": parse_reason(words[1:], EXAMPLE)}


async def gather_unlock(world: World, environment: str, service: Service) -> Facts:
    async with asyncio.TaskGroup() as group:
        locks = group.create_task(world.locks())
        auto_deploy = group.create_task(world.ask_railway(RailwayClient.read_auto_deploy, service))
    return Facts(environment, datetime.now(UTC), locks.result(), auto_deploy.result())
