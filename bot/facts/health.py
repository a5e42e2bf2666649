"""Gathers the facts of `health`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from bot.facts.absent_bot import read_absence
from bot.facts.services import read_running
from bot.world import World
from playbooks import health
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres import alerts
from services.clients.postgres.alerts import list_working_runs
from services.clients.postgres.freezes import list_locks
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import read_clock
from services.domain.alerts import AlertHistory
from services.domain.database import ServerFacts
from services.domain.deployments import SAME_AGAIN, ServiceAct
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.jobs import QueueSnapshot
from services.domain.services import Service

REMEMBERED = timedelta(days=30)  # decisions are kept for 30 days


async def read_histories(conn: Connection, fingerprints: Sequence[str], *, limit: int) -> list[AlertHistory]:
    """Read the alerts' histories in the given order, each with at most `limit` decisions, newest first."""
    now = await read_clock(conn)
    known = {alert.fingerprint: alert for alert in await alerts.list_alerts(conn, now=now, again_within=REMEMBERED)}
    return [
        AlertHistory(name, known.get(name), tuple(await alerts.list_alert_decisions(conn, name, limit=limit)))
        for name in fingerprints
    ]


async def gather_health(world: World) -> health.Facts:
    """Gather the facts. Takes as long as the slowest source."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(read_running(world))
        intake = group.create_task(world.ask_api(DragonflyApi.read_intake_health))
        server = group.create_task(world.server())
        migrations = group.create_task(world.migrations())
        queue = group.create_task(world.queue())
        locks = group.create_task(world.read(list_locks))
        freezes = group.create_task(world.freezes())
        acts = group.create_task(world.service_acts())
        working = group.create_task(world.read(list_working_runs))
        channel = group.create_task(world.channel_problem())
        absence = group.create_task(read_absence(world))
    seen = running.result()
    is_well = isinstance(seen.api, ApiHealth) and seen.api.is_ok
    return health.Facts(
        environment=world.settings.environment,
        as_of=seen.beats.as_of or _clock(queue.result(), server.result()),
        now=datetime.now(UTC),
        stale_after=world.settings.stale_after,
        api=seen.api,
        intake=intake.result(),
        server=server.result(),
        migrations=migrations.result(),
        heartbeats=seen.beats.rows,
        queue=queue.result(),
        services=seen.services,
        expected=seen.replicas.counts,
        expected_age=seen.replicas.age,
        bot=world.bot_state() if world.bot_state else None,
        channel_problem=channel.result(),
        bot_absence=absence.result(),
        locks=locks.result(),
        freezes=freezes.result(),
        database_since=world.database.away_since if world.database else None,
        same_again=_restarted_deployments(acts.result()),
        api_answered=world.api_answered,
        api_bad_since=None if is_well else await _api_bad_since(world),
        working=_working_runs(working.result()),
        system=world.system,
    )


async def _api_bad_since(world: World) -> datetime | None:
    """Start of the API's problem, from its alert: only the leader asks the API continuously. None if unknown."""
    histories = await world.read(read_histories, ["api"], limit=0)
    alert = None if isinstance(histories, Unavailable) else histories[0].alert
    return alert.since if alert is not None and alert.is_open else None


def _working_runs(runs: Sequence[tuple[int, frozenset[Service]]] | Unavailable) -> Mapping[Service, int]:
    """The run that acts on each service; empty if the runs can't be read, so that no problem is excused."""
    known = () if isinstance(runs, Unavailable) else runs
    return {service: run_id for run_id, services in known for service in services}


def _restarted_deployments(acts: Sequence[ServiceAct] | Unavailable) -> frozenset[str]:
    """Ids of deployments that a restart or a start made, which have the same commit as before."""
    known = () if isinstance(acts, Unavailable) else acts
    return frozenset(act.deployment_id for act in known if act.deployment_id and act.kind in SAME_AGAIN)


def _clock(queue: QueueSnapshot | Unavailable, server: ServerFacts | Unavailable) -> datetime:
    """The database's time from either answer, else this process's."""
    if not isinstance(queue, Unavailable):
        return queue.as_of
    return datetime.now(UTC) if isinstance(server, Unavailable) else server.server_time
