"""Gathers the facts of `verify`, `sha` and `heartbeats`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.facts.services import Beats, read_running
from bot.world import World
from playbooks import verify
from playbooks.checks import heartbeats, sha
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres.operated import (
    read_heartbeats,
)
from services.domain.errors import Unavailable
from services.domain.services import Service


async def gather_sha(world: World) -> sha.Facts:
    seen = await read_running(world, with_commits=True)
    return sha.Facts(
        as_of=seen.beats.as_of or datetime.now(UTC),
        stale_after=world.settings.stale_after,
        services=seen.services,
        api=seen.api,
        heartbeats=seen.beats.rows,
        all_visible=seen.beats.all_visible,
        system=world.system,
    )


async def gather_verify(world: World, targets: Sequence[Service], wanted_sha: str | None) -> verify.Facts:
    async with asyncio.TaskGroup() as group:
        running = group.create_task(read_running(world, with_commits=True))
        intake = group.create_task(world.ask_api(DragonflyApi.read_intake_health))
    seen = running.result()
    return verify.Facts(
        targets=tuple(targets),
        wanted_sha=wanted_sha,
        environment=world.settings.environment,
        as_of=seen.beats.as_of or datetime.now(UTC),
        stale_after=world.settings.stale_after,
        api=seen.api,
        intake=intake.result(),
        heartbeats=seen.beats.rows,
        services=seen.services,
        expected=seen.replicas.counts,
        expected_age=seen.replicas.age,
        all_visible=seen.beats.all_visible,
        system=world.system,
    )


async def gather_heartbeats(world: World) -> heartbeats.Facts:
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(world.read(read_heartbeats))
        services = group.create_task(world.railway_services())
    replicas, beats = world.expected_replicas(services.result()), reading.result()
    seen = Beats.of(beats if isinstance(beats, Unavailable) else await world.with_commits(beats))
    return heartbeats.Facts(
        as_of=seen.as_of or datetime.now(UTC),
        heartbeats=seen.rows,
        expected=replicas.counts,
        stale_after=world.settings.stale_after,
        expected_age=replicas.age,
        all_visible=seen.all_visible,
        system=world.system,
    )
