"""`deploy <service|all> <sha>`: deploys one commit, which is named explicitly."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bot.commands.arguments import example_of, need, no_more, only, parse_services, parse_sha, read_services
from bot.commands.promote import need_promoted
from bot.facts.plan import Parameters, environment_of, examine, gather_load, operated_titles
from bot.facts.rollback import REMEMBERED
from bot.world import World
from playbooks import deploy as playbook
from playbooks.model import NoPlan
from playbooks.plan import Plan
from playbooks.revert import applied_since_it_served
from services.clients.railway.client import RailwayClient
from services.domain.database import AppliedMigration, MigrationStatus
from services.domain.errors import Unavailable, UsageError
from services.domain.promotion import PROOF
from services.domain.services import Service

EXAMPLE = "deploy api 8d02b64e"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """Parse `service`, `sha`, and `proof`, the proof from another environment, if given."""
    service = parse_services(words, EXAMPLE)
    is_proved = words[2:3] == (PROOF,)
    no_more(words, 4 if is_proved else 2)
    if len(words) < 2:
        example = example_of(EXAMPLE, service)
        raise UsageError("Which commit?", why="a deploy names its commit", what_next=f"Write `{example}`.")
    if is_proved and len(words) < 4:
        what_next = "Press the button that `promote` shows."
        raise UsageError("Which proof?", why="nothing follows `proof`", what_next=what_next)
    return {"service": service, "sha": parse_sha(words[1])} | ({PROOF: words[3]} if is_proved else {})


async def plan(parameters: Parameters, world: World) -> Plan | NoPlan:
    """Plan from `service` (one, `workers` or `all`), `sha`, and `proof`, which is verified again at the run's start."""
    only(parameters, "service", "sha", PROOF)
    scope, services = read_services(parameters, world.system)
    sha = parse_sha(need(parameters, "sha"))
    proof = parameters.get(PROOF)
    if proof is not None:
        need_promoted(proof, world.settings, scope=scope, sha=sha, now=datetime.now(UTC))
    made = playbook.plan(await _gather(world, services, sha), scope, services, sha)
    if proof is None or isinstance(made, NoPlan):
        return made
    return replace(made, parameters={**made.parameters, PROOF: proof})


async def _gather(world: World, services: Iterable[Service], sha: str) -> playbook.Facts:
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
    status, now = migrations.result(), load.result().as_of or datetime.now(UTC)
    deployments = {service: task.result() for service, task in listed.items()}
    pending = () if isinstance(status, Unavailable) or not status.is_migrated else status.pending
    since = _since(world, applied_since_it_served(sha, deployments, status, now), status)
    return playbook.Facts(
        environment=environment,
        now=now,
        states=states.result(),
        deployments=deployments,
        locks=locks.result(),
        migrations=status,
        load=load.result(),
        schema=await examine(world, pending, is_linted=True),
        examined_of=world.git_sha,
        since=since,
        since_schema=await examine(world, since),
    )


def _since(world: World, applied: Sequence[AppliedMigration], status: MigrationStatus | Unavailable) -> tuple[str, ...]:
    """Titles of the applied migrations that belong to the operated system, or that the bot has no file of."""
    if not applied or isinstance(status, Unavailable):
        return ()
    ours = operated_titles(world, status)
    return tuple(one.title for one in applied if one.title in ours or one.version in status.unknown)
