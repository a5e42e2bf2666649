"""Reads what each playbook needs, every source at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.alerts.rule_file import load_rules
from bot.facts._replicas import KnownReplicas
from bot.facts._world import HeartbeatReading, World
from bot.facts.journal import read_locks
from bot.facts.oncall import read_absent
from bot.facts.policy import read_gaps
from bot.settings import Invalid, MailSettings, PagerSettings
from playbooks import check_config, env, health, heartbeats, sha, verify
from playbooks.checks.oncall import Targets
from playbooks.checks.settings import DISABLED_BY, Group
from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.heartbeats import Heartbeat
from services.domain.jobs import QueueSnapshot
from services.domain.server import ServerFacts
from services.domain.service_acts import SAME_AGAIN, ServiceAct
from services.domain.services import Service

PROCFILE = Path(__file__).resolve().parents[2] / "Procfile"


async def gather_health(world: World) -> health.Facts:
    """Takes as long as the slowest source."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(_read_running(world))
        intake = group.create_task(world.intake_health())
        server = group.create_task(world.server())
        migrations = group.create_task(world.migrations())
        queue = group.create_task(world.queue())
        locks = group.create_task(read_locks(world))
        acts = group.create_task(world.service_acts())
    seen = running.result()
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
        locks=locks.result(),
        database_since=world.database.away_since if world.database else None,
        same_again=_same_again(acts.result()),
        api_well_until=world.api_well_until,
    )


def _same_again(acts: Sequence[ServiceAct] | Unavailable) -> frozenset[str]:
    """Deployments that a restart or a start made: of the commit that was there before."""
    known = () if isinstance(acts, Unavailable) else acts
    return frozenset(act.deployment_id for act in known if act.deployment_id and act.kind in SAME_AGAIN)


async def gather_sha(world: World) -> sha.Facts:
    seen = await _read_running(world)
    return sha.Facts(
        as_of=seen.beats.as_of or datetime.now(UTC),
        stale_after=world.settings.stale_after,
        services=seen.services,
        api=seen.api,
        heartbeats=seen.beats.rows,
    )


async def gather_verify(world: World, targets: Sequence[Service], wanted_sha: str | None) -> verify.Facts:
    async with asyncio.TaskGroup() as group:
        running = group.create_task(_read_running(world))
        intake = group.create_task(world.intake_health())
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
    )


async def gather_heartbeats(world: World) -> heartbeats.Facts:
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(world.heartbeats())
        services = group.create_task(world.railway_services())
    replicas = world.expected_replicas(services.result())
    seen = _Beats.of(reading.result())
    return heartbeats.Facts(
        as_of=seen.as_of or datetime.now(UTC),
        heartbeats=seen.rows,
        expected=replicas.counts,
        stale_after=world.settings.stale_after,
        expected_age=replicas.age,
        all_visible=seen.all_visible,
    )


async def gather_env(world: World, targets: Sequence[Service]) -> env.Facts:
    """Variables, start commands and names, against the Procfile that bot and services are built from."""
    async with asyncio.TaskGroup() as group:
        variables = {service: group.create_task(world.variables(service)) for service in targets}
        services = group.create_task(world.railway_services())
        environment = group.create_task(world.railway_environment())
    return env.Facts(
        variables={service: task.result() for service, task in variables.items()},
        services=services.result(),
        railway_environment=environment.result(),
        bot_environment=world.settings.environment,
        procfile=env.read_procfile(PROCFILE.read_text() if PROCFILE.is_file() else ""),
        now=datetime.now(UTC),
    )


async def gather_config(world: World) -> check_config.Facts:
    """Sources without settings are not asked: their group's finding says enough."""
    async with asyncio.TaskGroup() as group:
        drift = group.create_task(world.drift())
        environment = group.create_task(world.railway_environment())
        health = group.create_task(world.api_health())
        server = group.create_task(world.server())
        policy = group.create_task(read_gaps(world.settings))
        absent = group.create_task(read_absent(world))
        refused = group.create_task(world.undeliverable())
    asked = {
        "database": (world.database, server.result()),
        "Railway": (world.railway, environment.result()),
        "API": (world.api, health.result()),
    }
    answers = {name: answer for name, (client, answer) in asked.items() if client is not None}
    people, gaps, schedule = world.settings.people, policy.result(), world.schedule
    state = world.bot_state() if world.bot_state else None
    rules = load_rules(world.settings.alerts)
    files = (gaps, schedule, rules)
    unusable = [one for one in files if isinstance(one, Invalid) and one not in world.settings.invalid]
    return check_config.Facts(
        groups=groups_of(*world.settings.invalid, *unusable),
        operators=None if isinstance(people, Invalid) else people.operators,
        approvers=None if isinstance(people, Invalid) else people.approvers,
        sources={name: answer if isinstance(answer, Unavailable) else None for name, answer in answers.items()},
        drift=drift.result(),
        gaps={} if isinstance(gaps, Invalid) else gaps,
        phones=world.settings.phones,
        is_monitored=not isinstance(world.settings.monitor, Invalid) and world.settings.monitor.url is not None,
        schedule=None if isinstance(schedule, Invalid) else schedule,
        absent=absent.result(),
        targets=Targets(_names(world.settings.pager), _names(world.settings.mail)),
        channel_problem=state.channel_problem if state else None,
        refused=refused.result(),
    )


def _names(group: PagerSettings | MailSettings | Invalid) -> frozenset[str]:
    """The targets outside Slack that the environment has an address for."""
    return frozenset() if isinstance(group, Invalid) else frozenset(group.targets)


def groups_of(*invalid: Invalid) -> list[Group]:
    faults = {group.group: tuple(map(str, group.faults)) for group in invalid}
    return [Group(name, faults.get(name, ())) for name in DISABLED_BY]


@dataclass(frozen=True)
class _Beats:
    """A reading of the heartbeats, or why there is none. `as_of` is None then."""

    as_of: datetime | None
    rows: tuple[Heartbeat, ...] | Unavailable
    all_visible: bool

    @classmethod
    def of(cls, reading: HeartbeatReading | Unavailable) -> _Beats:
        if isinstance(reading, Unavailable):
            return cls(None, reading, all_visible=True)
        return cls(reading.as_of, reading.rows, reading.all_visible)


@dataclass(frozen=True)
class _Running:
    """What runs: as Railway says, and as the processes say."""

    services: dict[Service, ServiceState] | Unavailable
    replicas: KnownReplicas
    api: ApiHealth | Unavailable
    beats: _Beats


async def _read_running(world: World) -> _Running:
    async with asyncio.TaskGroup() as group:
        services = group.create_task(world.railway_services())
        api = group.create_task(world.api_health())
        reading = group.create_task(world.heartbeats())
    replicas = world.expected_replicas(services.result())
    return _Running(services.result(), replicas, api.result(), _Beats.of(reading.result()))


def _clock(queue: QueueSnapshot | Unavailable, server: ServerFacts | Unavailable) -> datetime:
    """The database's clock from whichever answer it gave, else our own."""
    if not isinstance(queue, Unavailable):
        return queue.as_of
    return datetime.now(UTC) if isinstance(server, Unavailable) else server.server_time
