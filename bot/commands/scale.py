"""`scale <service> <n>`: runs more or fewer replicas."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from bot.commands.arguments import example_of, need, need_service, no_more, only, read_service, wrong_word
from bot.facts.plan import Parameters, environment_of, gather_load
from bot.world import World
from playbooks import scale as playbook
from playbooks.model import NoPlan
from playbooks.plan import Plan
from services.clients.postgres.history import read_newest_usage
from services.domain.database import CONCURRENCY, POOL_SIZE, sessions_per_replica
from services.domain.errors import Unavailable, UsageError
from services.domain.services import Service

EXAMPLE = "scale ingest 2"
USED_WITHIN = timedelta(minutes=10)


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """Parse `service` and `to`. Raises UsageError."""
    service = need_service(words, EXAMPLE)
    no_more(words, 2)
    if len(words) < 2:
        example = example_of(EXAMPLE, service.short)
        raise UsageError("To how many?", why="the number of replicas is missing", what_next=f"Write `{example}`.")
    return {"service": service.short, "to": _parse_replicas(words[1])}


def _parse_replicas(word: str) -> str:
    """Parse a whole number from 0 to Railway's limit; returned without leading zeros. Raises UsageError."""
    largest = playbook.MOST_REPLICAS
    if not (word.isascii() and word.isdigit() and len(word) <= 9 and int(word) <= largest):
        raise wrong_word(word, "is not a number of replicas", f"Use a whole number from 0 to {largest}.")
    return str(int(word))


async def plan(parameters: Parameters, world: World) -> Plan | NoPlan:
    """Plan from `service` and `to`."""
    only(parameters, "service", "to")
    service = read_service(parameters, world.system)
    to = int(_parse_replicas(need(parameters, "to")))
    return playbook.plan(await _gather(world, service), service, to)


async def _gather(world: World, service: Service) -> playbook.Facts:
    environment = environment_of(world)
    async with asyncio.TaskGroup() as group:
        states = group.create_task(world.railway_services())
        load = group.create_task(gather_load(world))
        connections = group.create_task(world.connections())
        sessions = group.create_task(_read_sessions(world, service))
        usage = group.create_task(world.read(read_newest_usage, service=service.value, window=USED_WITHIN))
    return playbook.Facts(
        environment,
        states.result(),
        load.result(),
        connections.result(),
        sessions.result(),
        world.settings.changing.soak_s,
        usage.result(),
    )


async def _read_sessions(world: World, service: Service) -> int | Unavailable:
    """Database sessions per replica. Only the variables that size the connection pool are revealed."""
    variables = await world.variables(service)
    if isinstance(variables, Unavailable):
        return variables
    wanted = {name: value.reveal() for name, value in variables.items() if name.upper() in (POOL_SIZE, CONCURRENCY)}
    operated = world.system.find(service)
    return sessions_per_replica(operated.sessions if operated else None, wanted)
