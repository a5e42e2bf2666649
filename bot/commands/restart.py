"""`restart <service> [--through-zero]`: restart what runs, without a build."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bot.commands.arguments import need_service, no_more
from bot.facts import gather_load
from bot.world import World
from playbooks.restart import Facts

THROUGH_ZERO = "--through-zero"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`service`, and `through_zero` ("yes") with `--through-zero`."""
    rest = tuple(word for word in words if word != THROUGH_ZERO)
    service = need_service(rest, "restart ingest")
    no_more(rest, 1)
    return {"service": service.short} | ({"through_zero": "yes"} if len(rest) < len(words) else {})


async def gather_restart(world: World, environment: str) -> Facts:
    async with asyncio.TaskGroup() as group:
        states = group.create_task(world.railway_services())
        load = group.create_task(gather_load(world))
    return Facts(environment, states.result(), load.result())
