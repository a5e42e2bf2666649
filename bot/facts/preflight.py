"""Gathers the facts of `preflight` and `env`: settings, variables and the checkout."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bot.config.fields import Invalid
from bot.config.paging import MailSettings, PagerSettings
from bot.world import World
from playbooks import env, preflight
from playbooks.checks import checkout
from playbooks.checks.settings import DISABLED_BY, Group
from services.clients import git
from services.clients.postgres.operated import (
    list_exposures,
)
from services.clients.railway.client import RailwayClient
from services.domain.errors import Unavailable
from services.domain.services import Service


async def gather_env(world: World, targets: Sequence[Service]) -> env.Facts:
    """Gather the services' variables, start commands and the environment's name."""
    async with asyncio.TaskGroup() as group:
        variables = {service: group.create_task(world.variables(service)) for service in targets}
        services = group.create_task(world.railway_services())
        environment = group.create_task(world.ask_railway(RailwayClient.read_environment_name))
    return env.Facts(
        variables={service: task.result() for service, task in variables.items()},
        services=services.result(),
        railway_environment=environment.result(),
        bot_environment=world.settings.environment,
        now=datetime.now(UTC),
        system=world.system,
    )


def names_of(group: PagerSettings | MailSettings | Invalid) -> frozenset[str]:
    """Names of the pager or mail targets for which the settings have an address."""
    return frozenset() if isinstance(group, Invalid) else frozenset(group.targets)


def groups_of(*invalid: Invalid) -> list[Group]:
    faults = {group.group: tuple(map(str, group.faults)) for group in invalid}
    return [Group(name, faults.get(name, ())) for name in DISABLED_BY]


async def gather_preflight(world: World, directory: Path | None) -> preflight.Facts:
    """Gather the facts of `preflight`. `directory`: the requester's checkout; None if there is none."""
    system = await world.recognized()
    async with asyncio.TaskGroup() as group:
        variables = group.create_task(gather_env(world, system.services))
        migrations = group.create_task(world.migrations())
        exposures = group.create_task(world.read(list_exposures))
        own = group.create_task(_read_checkout(world, directory))
    needed = [one for one in groups_of(*world.settings.invalid) if one.name in preflight.NEEDED]
    return preflight.Facts(needed, variables.result(), migrations.result(), exposures.result(), own.result())


async def _read_checkout(world: World, directory: Path | None) -> checkout.Facts:
    if directory is None:
        none = Unavailable("git", "no checkout here; run dragonfly preflight on a terminal, in yours")
        return checkout.Facts(none, none)
    found = await world.ask("git", git.read_checkout(directory))
    if isinstance(found, Unavailable) or found.release is None:
        return checkout.Facts(found, is_pushed=False)
    return checkout.Facts(found, await world.ask("git", git.is_pushed(directory, found.release.name)))
