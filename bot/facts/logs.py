"""Reads the logs of what runs, with what it takes to judge them, every source at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from bot.facts._world import World
from playbooks._contract import Finding
from playbooks.checks import logs
from services.domain.deployments import LogLine, ServiceState, find_state
from services.domain.errors import Unavailable
from services.domain.jobs import JOB_TYPES
from services.domain.services import Service
from services.domain.thresholds import LOGS_LOOK_BACK

DIGEST_LINES = 500  # an hour of a worker that is in trouble; one request


async def gather_logs(
    world: World,
    services: Sequence[Service],
    states: Mapping[Service, ServiceState] | Unavailable,
    *,
    look_back: timedelta = LOGS_LOOK_BACK,
) -> list[logs.Facts]:
    """The log of the current deployment of each service, without the lines older than `look_back`."""
    async with asyncio.TaskGroup() as group:
        read = {service: group.create_task(_read_lines(world, service, states, look_back)) for service in services}
        due = group.create_task(read_due(world))
    now = datetime.now(UTC)
    return [
        logs.Facts(service, read[service].result(), now, due.result()[service], state=_known(states, service))
        for service in services
    ]


async def read_error_digest(world: World, service: Service) -> list[Finding]:
    """What is not fine in the newest log lines of a service, the most urgent first; safe to show to anybody."""
    [facts] = await gather_logs(world, [service], await world.railway_services())
    return await asyncio.to_thread(logs.error_digest, facts)  # masking many long lines takes its time


async def read_due(world: World) -> dict[Service, datetime | Unavailable | None]:
    """Since when the oldest of the jobs that each service would claim next has been due; None when none is."""
    due = await world.next_due([job_type for types in JOB_TYPES.values() for job_type in types])
    return {service: _due(due, types) for service, types in JOB_TYPES.items()}


def _due(due: Mapping[str, datetime] | Unavailable, job_types: Sequence[str]) -> datetime | Unavailable | None:
    if isinstance(due, Unavailable):
        return due if job_types else None
    return min((due[job_type] for job_type in job_types if job_type in due), default=None)


def _known(states: Mapping[Service, ServiceState] | Unavailable, service: Service) -> ServiceState | None:
    state = find_state(states, service)
    return None if isinstance(state, Unavailable) else state


async def _read_lines(
    world: World, service: Service, states: Mapping[Service, ServiceState] | Unavailable, look_back: timedelta
) -> list[LogLine] | Unavailable:
    state = find_state(states, service)
    if isinstance(state, Unavailable):
        return state
    if state is None or state.current is None:
        return Unavailable("Railway", f"{service.short} has no deployment")
    lines = await world.logs(state.current.id, limit=DIGEST_LINES)
    if isinstance(lines, Unavailable):
        return lines
    oldest = datetime.now(UTC) - look_back
    return [line for line in lines if line.timestamp >= oldest]
