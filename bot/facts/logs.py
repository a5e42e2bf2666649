"""Gathers the facts of `logs`: each service's lines, and the time since when its jobs are due."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from bot.world import World
from playbooks.checks import logs
from playbooks.log_patterns import PATTERNS_BY_NAME
from services.clients.postgres.operated import (
    list_next_due,
)
from services.clients.railway.client import RailwayClient
from services.domain.deployments import LogLine, ServiceState, find_state
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.thresholds import LOGS_LOOK_BACK

DIGEST_LINES = 500  # 1 h of a failing worker's log, in one request


async def gather_logs(
    world: World,
    services: Sequence[Service],
    states: Mapping[Service, ServiceState] | Unavailable,
    *,
    earlier: timedelta = LOGS_LOOK_BACK,
) -> list[logs.Facts]:
    """Read the log of each service's current deployment, without lines older than `earlier`."""
    async with asyncio.TaskGroup() as group:
        read = {service: group.create_task(_read_lines(world, service, states, earlier)) for service in services}
        due = group.create_task(read_due(world))
    now, patterns = datetime.now(UTC), PATTERNS_BY_NAME[world.system.log_patterns]
    dues, known = due.result(), {service: _known(states, service) for service in services}
    return [
        logs.Facts(service, read[service].result(), now, dues[service], state=known[service], patterns=patterns)
        for service in services
    ]


async def read_due(world: World) -> dict[Service, datetime | Unavailable | None]:
    """Read the time since when each service's oldest claimable job is due; None if no job is due."""
    operated = (await world.recognized()).operated
    due = await world.read(list_next_due, job_types=[job_type for one in operated for job_type in one.job_types])
    return {one.service: _due(due, one.job_types) for one in operated}


def _due(due: Mapping[str, datetime] | Unavailable, job_types: Sequence[str]) -> datetime | Unavailable | None:
    if isinstance(due, Unavailable):
        return due if job_types else None
    return min((due[job_type] for job_type in job_types if job_type in due), default=None)


def _known(states: Mapping[Service, ServiceState] | Unavailable, service: Service) -> ServiceState | None:
    state = find_state(states, service)
    return None if isinstance(state, Unavailable) else state


async def _read_lines(
    world: World, service: Service, states: Mapping[Service, ServiceState] | Unavailable, earlier: timedelta
) -> list[LogLine] | Unavailable:
    state = find_state(states, service)
    if isinstance(state, Unavailable):
        return state
    if state is None or state.current is None:
        return Unavailable("Railway", f"{service.short} has no deployment")
    lines = await world.ask_railway(RailwayClient.read_logs, state.current.id, limit=DIGEST_LINES)
    if isinstance(lines, Unavailable):
        return lines
    oldest = datetime.now(UTC) - earlier
    return [line for line in lines if line.timestamp >= oldest]
