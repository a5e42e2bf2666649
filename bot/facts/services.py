"""Reads the running services, as Railway and as the processes themselves report them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from bot.last_known import KnownReplicas
from bot.world import World
from services.clients.postgres.operated import (
    read_heartbeats,
)
from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.jobs import Heartbeat, HeartbeatReading
from services.domain.services import Service


@dataclass(frozen=True)
class Beats:
    """The heartbeats, or the reason why there are none; `as_of` is None then."""

    as_of: datetime | None
    rows: tuple[Heartbeat, ...] | Unavailable
    all_visible: bool

    @classmethod
    def of(cls, reading: HeartbeatReading | Unavailable) -> Beats:
        if isinstance(reading, Unavailable):
            return cls(None, reading, all_visible=True)
        return cls(reading.as_of, reading.rows, reading.all_visible)


@dataclass(frozen=True)
class Running:
    """The running services, as reported by Railway (`services`, `replicas`), the API and the workers' heartbeats."""

    services: dict[Service, ServiceState] | Unavailable
    replicas: KnownReplicas
    api: ApiHealth | Unavailable
    beats: Beats


async def read_running(world: World, *, with_commits: bool = False) -> Running:
    """Read the running services. `with_commits`: also read commits from worker logs, which takes further requests."""
    async with asyncio.TaskGroup() as group:
        services = group.create_task(world.railway_services())
        api = group.create_task(world.api_health())
        reading = group.create_task(world.read(read_heartbeats))
    replicas, beats = world.expected_replicas(services.result()), reading.result()
    if with_commits and not isinstance(beats, Unavailable):
        beats = await world.with_commits(beats)
    return Running(services.result(), replicas, api.result(), Beats.of(beats))
