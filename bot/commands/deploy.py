"""`deploy <service|all> <sha>`: deploy one commit, named explicitly."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from bot.change_facts import Parameters, environment_of, examine, gather_load
from bot.commands.arguments import example_of, need, no_more, only, parse_services, parse_sha, read_services
from bot.rollback_offer import REMEMBERED
from bot.world import World
from playbooks import deploy as playbook
from playbooks.model import NoPlan
from playbooks.plan import Plan
from services.clients.railway.client import RailwayClient
from services.domain.errors import Unavailable, UsageError
from services.domain.services import Service

EXAMPLE = "deploy api 8d02b64e"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`service`, `sha`."""
    service = parse_services(words, EXAMPLE)
    no_more(words, 2)
    if len(words) < 2:
        example = example_of(EXAMPLE, service)
        raise UsageError("Which commit?", why="a deploy names its commit", what_next=f"Write `{example}`.")
    return {"service": service, "sha": parse_sha(words[1])}


async def plan(parameters: Parameters, world: World) -> Plan | NoPlan:
    """`service` (one, `workers` or `all`), `sha`."""
    only(parameters, "service", "sha")
    scope, services = read_services(parameters, world.system)
    sha = parse_sha(need(parameters, "sha"))
    return playbook.plan(await _gather(world, services), scope, services, sha)


async def _gather(world: World, services: Iterable[Service]) -> playbook.Facts:
    environment = environment_of(world)
    async with asyncio.TaskGroup() as group:
        listed = {
            one: group.create_task(world.ask_railway(RailwayClient.list_deployments, one, limit=REMEMBERED))
            for one in services
        }
        states = group.create_task(world.railway_services())
        locks = group.create_task(world.locks())
        migrations = group.create_task(world.migrations())
        load = group.create_task(gather_load(world))
    status = migrations.result()
    pending = () if isinstance(status, Unavailable) or not status.is_migrated else status.pending
    return playbook.Facts(
        environment=environment,
        now=load.result().as_of or datetime.now(UTC),
        states=states.result(),
        deployments={service: task.result() for service, task in listed.items()},
        locks=locks.result(),
        migrations=status,
        load=load.result(),
        schema=await examine(world, pending, is_linted=True),
        examined_of=world.git_sha,
    )
