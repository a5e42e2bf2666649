"""`rollback-db <version>`: reverts a migration with its prepared rollback."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from bot.commands.arguments import need, no_more, only, read_flag, wrong_word
from bot.config.connections import DatabaseSettings
from bot.facts.plan import Parameters, environment_of, gather_load
from bot.facts.rollback import REMEMBERED
from bot.world import World
from playbooks import rollback_db as playbook
from playbooks.model import NoPlan
from playbooks.plan import Plan
from services.clients.postgres.rollbacks import read_rollbacks
from services.clients.railway.client import RailwayClient
from services.domain.errors import UsageError

EXAMPLE = "rollback-db 20251202009900"
WITH_API = "--with-api"
_VERSION = re.compile(r"[0-9]{14}\Z")


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """Parse `version`, and `with_api` ("yes") for `--with-api`, which also stops the API. Raises UsageError."""
    rest = tuple(word for word in words if word != WITH_API)
    no_more(rest, 1)
    if not rest:
        raise UsageError("Which migration?", why="the version is missing", what_next=f"Write `{EXAMPLE}`.")
    return {"version": _parse_version(rest[0])} | ({"with_api": "yes"} if len(rest) < len(words) else {})


def _parse_version(word: str) -> str:
    """Check a migration's version. Raises UsageError."""
    if not _VERSION.match(word):
        raise wrong_word(word, "is not a migration's version", "Write its 14 digits, as `migrations` shows them.")
    return word


async def plan(parameters: Parameters, world: World) -> Plan | NoPlan:
    """Plan from `version` and `with_api` ("yes")."""
    only(parameters, "version", "with_api")
    version = _parse_version(need(parameters, "version"))
    with_api = read_flag(parameters, "with_api")
    return playbook.plan(await _gather(world), version, with_api=with_api)


async def _gather(world: World) -> playbook.Facts:
    environment = environment_of(world)
    database = world.settings.database
    async with asyncio.TaskGroup() as group:
        listed = {
            one: group.create_task(world.ask_railway(RailwayClient.list_deployments, one, limit=REMEMBERED))
            for one in world.system.services
        }
        states = group.create_task(world.railway_services())
        migrations = group.create_task(world.migrations())
        load = group.create_task(gather_load(world))
        rollbacks = group.create_task(asyncio.to_thread(read_rollbacks, world.settings.changing.rollbacks))
    return playbook.Facts(
        environment=environment,
        now=load.result().as_of or datetime.now(UTC),
        states=states.result(),
        deployments={service: task.result() for service, task in listed.items()},
        migrations=migrations.result(),
        rollbacks=rollbacks.result(),
        load=load.result(),
        may_undo=isinstance(database, DatabaseSettings) and database.rollback_url is not None,
    )
