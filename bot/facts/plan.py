"""Gathers the facts that the plans of all changes need: environment, load, and examined migrations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from bot.config.environment import require
from bot.world import World
from playbooks.change_parts import Load
from playbooks.model import NoPlan
from playbooks.plan import Plan
from services.clients import pg_parser, squawk
from services.clients.postgres.migrations import Purpose, read_files
from services.clients.postgres.operated import (
    list_running_jobs,
    read_heartbeats,
)
from services.domain.database import MigrationStatus
from services.domain.errors import Unavailable
from services.domain.schema import Examinations

RUNNING = 500  # limit of running jobs: more than there can be workers


async def gather_load(world: World) -> Load:
    async with asyncio.TaskGroup() as group:
        queue = group.create_task(world.queue())
        running = group.create_task(world.read(list_running_jobs, limit=RUNNING))
        beats = group.create_task(world.read(read_heartbeats))
    reading = beats.result()
    return Load(
        stale_after=world.settings.stale_after,
        queue=queue.result(),
        running=running.result(),
        beats=reading if isinstance(reading, Unavailable) else reading.rows,
        all_visible=isinstance(reading, Unavailable) or reading.all_visible,
        answered=world.api_answered,
        system=world.system,
    )


async def examine(world: World, titles: Collection[str], *, is_linted: bool = False) -> Examinations | Unavailable:
    """Examine the migrations (`version_name`) that the bot has files of. A slow linter's part is left out."""
    if not titles:
        return {}
    directory = world.settings.changing.migrations
    async with asyncio.TaskGroup() as group:
        examining = group.create_task(world.ask("schema", _parse(directory, titles)))
        linting = group.create_task(world.ask("squawk", _lint(directory, titles if is_linted else ())))
    found, linted = examining.result(), linting.result()
    if isinstance(found, Unavailable) or isinstance(linted, Unavailable):
        return found
    return {title: replace(one, lint=linted.get(title)) for title, one in found.items()}


def operated_titles(world: World, status: MigrationStatus) -> set[str]:
    """Titles of the applied migrations of the operated system, on which its code depends, if the bot has the files."""
    files = read_files(world.settings.changing.migrations) if status.is_migrated else ()
    applied = {one.version for one in status.applied}
    return {file.title for file in files if file.purpose is Purpose.OPERATED and file.version in applied}


async def _parse(directory: Path, titles: Collection[str]) -> Examinations:
    return await pg_parser.examine(_read(directory, titles))


async def _lint(directory: Path, titles: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    return await squawk.lint(_read(directory, titles)) if titles else {}


def _read(directory: Path, titles: Collection[str]) -> dict[str, str]:
    return {file.title: file.sql for file in read_files(directory) if file.title in titles}


Parameters = Mapping[str, str]
MakePlan = Callable[[Parameters, World], Awaitable[Plan | NoPlan]]


def environment_of(world: World) -> str:
    """The environment, which is part of what is approved. Raises OperatorError if the settings lack it."""
    return require(world.settings.identity).environment
