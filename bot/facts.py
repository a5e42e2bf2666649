"""Gathers the facts that playbooks need, all sources in parallel."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.config.fields import Invalid, MailSettings, PagerSettings
from bot.slack_directory import Groups
from bot.world import KnownReplicas, World, open_slack
from playbooks import doctor, env, health, preflight, prod_gate, verify
from playbooks.checks import checkout, golden_path, heartbeats, logs, oncall, sha
from playbooks.checks import queue as claiming
from playbooks.checks.settings import DISABLED_BY, Group
from playbooks.log_patterns import PATTERNS_BY_NAME
from playbooks.recent_changes import LOOK_BACK, Facts
from services.clients import git
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres import alerts
from services.clients.postgres.alerts import list_working_runs
from services.clients.postgres.approvals import list_locks
from services.clients.postgres.deployments import list_replica_changes
from services.clients.postgres.drift import read_drift
from services.clients.postgres.operated import (
    count_batch_rows,
    find_golden_batch,
    list_batch_jobs,
    list_exposures,
    list_failed_jobs,
    list_next_due,
    list_session_roles,
    list_unclaimed,
    read_heartbeats,
)
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import read_clock
from services.clients.postgres.runs import list_runs
from services.clients.railway.client import RailwayClient
from services.domain.alerts import AlertHistory
from services.domain.database import ServerFacts
from services.domain.deployments import SAME_AGAIN, LogLine, ReplicaChange, ServiceAct, ServiceState, find_state
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.intake import SAMPLE, GoldenBatch, SampleFile, job_keys, read_sample
from services.domain.jobs import Heartbeat, HeartbeatReading, QueueSnapshot
from services.domain.oncall import Absent, KnownOverrides, Schedule, is_group
from services.domain.runs import Run
from services.domain.services import Service
from services.domain.thresholds import LOGS_LOOK_BACK

REMEMBERED = timedelta(days=30)  # as long as decisions are kept


async def read_histories(conn: Connection, fingerprints: Sequence[str], *, limit: int) -> list[AlertHistory]:
    """In the given order, at most `limit` decisions each, newest first."""
    now = await read_clock(conn)
    known = {alert.fingerprint: alert for alert in await alerts.list_alerts(conn, now=now, again_within=REMEMBERED)}
    return [
        AlertHistory(name, known.get(name), tuple(await alerts.list_alert_decisions(conn, name, limit=limit)))
        for name in fingerprints
    ]


async def gather_health(world: World) -> health.Facts:
    """Takes as long as the slowest source."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(_read_running(world))
        intake = group.create_task(world.ask_api(DragonflyApi.read_intake_health))
        server = group.create_task(world.server())
        migrations = group.create_task(world.migrations())
        queue = group.create_task(world.queue())
        locks = group.create_task(world.read(list_locks))
        freezes = group.create_task(world.freezes())
        acts = group.create_task(world.service_acts())
        working = group.create_task(world.read(list_working_runs))
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
        locks=locks.result(),
        freezes=freezes.result(),
        database_since=world.database.away_since if world.database else None,
        same_again=_same_again(acts.result()),
        api_well_until=world.api_well_until,
        api_bad_since=None if is_well else await _api_bad_since(world),
        working=_working(working.result()),
        system=world.system,
    )


async def _api_bad_since(world: World) -> datetime | None:
    """By the leader's alert: another process than the leader has not asked the API all the time."""
    histories = await world.read(read_histories, ["api"], limit=0)
    alert = None if isinstance(histories, Unavailable) else histories[0].alert
    return alert.since if alert is not None and alert.is_open else None


def _working(runs: Sequence[tuple[int, frozenset[Service]]] | Unavailable) -> Mapping[Service, int]:
    """The run that acts on each service; what can't be read excuses nothing."""
    known = () if isinstance(runs, Unavailable) else runs
    return {service: run_id for run_id, services in known for service in services}


def _same_again(acts: Sequence[ServiceAct] | Unavailable) -> frozenset[str]:
    """Deployments that a restart or a start made: of the commit that was there before."""
    known = () if isinstance(acts, Unavailable) else acts
    return frozenset(act.deployment_id for act in known if act.deployment_id and act.kind in SAME_AGAIN)


async def gather_sha(world: World) -> sha.Facts:
    seen = await _read_running(world, with_commits=True)
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
        running = group.create_task(_read_running(world, with_commits=True))
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
    seen = _Beats.of(beats if isinstance(beats, Unavailable) else await world.with_commits(beats))
    return heartbeats.Facts(
        as_of=seen.as_of or datetime.now(UTC),
        heartbeats=seen.rows,
        expected=replicas.counts,
        stale_after=world.settings.stale_after,
        expected_age=replicas.age,
        all_visible=seen.all_visible,
        system=world.system,
    )


async def gather_env(world: World, targets: Sequence[Service]) -> env.Facts:
    """Variables, start commands and names, against what the system needs."""
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
    """What runs: as Railway reports, and as the processes report."""

    services: dict[Service, ServiceState] | Unavailable
    replicas: KnownReplicas
    api: ApiHealth | Unavailable
    beats: _Beats


async def _read_running(world: World, *, with_commits: bool = False) -> _Running:
    """`with_commits`: also of workers that tell it in their logs only, which takes further requests."""
    async with asyncio.TaskGroup() as group:
        services = group.create_task(world.railway_services())
        api = group.create_task(world.api_health())
        reading = group.create_task(world.read(read_heartbeats))
    replicas, beats = world.expected_replicas(services.result()), reading.result()
    if with_commits and not isinstance(beats, Unavailable):
        beats = await world.with_commits(beats)
    return _Running(services.result(), replicas, api.result(), _Beats.of(beats))


def _clock(queue: QueueSnapshot | Unavailable, server: ServerFacts | Unavailable) -> datetime:
    """The database's clock from whichever answer it gave, else our own."""
    if not isinstance(queue, Unavailable):
        return queue.as_of
    return datetime.now(UTC) if isinstance(server, Unavailable) else server.server_time


DIGEST_LINES = 500  # an hour of a worker that is in trouble; one request


async def gather_logs(
    world: World,
    services: Sequence[Service],
    states: Mapping[Service, ServiceState] | Unavailable,
    *,
    earlier: timedelta = LOGS_LOOK_BACK,
) -> list[logs.Facts]:
    """The log of the current deployment of each service, without the lines older than `earlier`."""
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
    """Since when the oldest of the jobs that each service would claim next has been due; None when none is."""
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


FAILED_WITHIN = timedelta(hours=1)  # the runbook's query


async def gather_gate(world: World) -> prod_gate.Facts:
    """Takes as long as the slowest source."""
    async with asyncio.TaskGroup() as group:
        seen = group.create_task(gather_health(world))
        drift = group.create_task(world.read(read_drift))
        exposures = group.create_task(world.read(list_exposures))
    return prod_gate.Facts(seen.result(), drift.result(), exposures.result())


async def gather_doctor(world: World) -> doctor.Facts:
    """Takes as long as the slowest source, or Railway twice: it has to say what runs before it is asked for its log."""
    system = await world.recognized()
    async with asyncio.TaskGroup() as group:
        seen = group.create_task(gather_health(world))
        variables = group.create_task(gather_env(world, system.services))
        due = group.create_task(read_due(world))
        unclaimed = group.create_task(world.read(list_unclaimed, job_types=system.job_types))
        failed = group.create_task(world.read(list_failed_jobs, window=FAILED_WITHIN, limit=500))
        roles = group.create_task(world.read(list_session_roles))
        log_reads = group.create_task(_read_logs(world))
        drift = group.create_task(world.read(read_drift))
        endpoints = group.create_task(world.ask_api(DragonflyApi.read_endpoints))
        exposures = group.create_task(world.read(list_exposures))
    health = seen.result()
    return doctor.Facts(
        health=health,
        env=variables.result(),
        claiming=claiming.ClaimingFacts(
            health.as_of,
            health.stale_after,
            health.heartbeats,
            due.result(),
            system=system,
            unclaimed=unclaimed.result(),
        ),
        failed=failed.result(),
        roles=roles.result(),
        logs=log_reads.result(),
        drift=drift.result(),
        endpoints=endpoints.result(),
        exposures=exposures.result(),
    )


async def gather_preflight(world: World, directory: Path | None) -> preflight.Facts:
    """`directory`: where the requester's checkout is, None where there is none."""
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


async def _read_logs(world: World) -> list[logs.Facts]:
    return await gather_logs(world, (await world.recognized()).services, await world.railway_services())


ROOT = Path(__file__).parents[1]
TOO_LARGE = 100_000  # bytes: it is one or a few lines


def read_sample_file(path: Path = ROOT / SAMPLE) -> SampleFile | Unavailable:
    """The test file, or why it cannot be used."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return Unavailable("test file", f"{SAMPLE} cannot be read ({type(error).__name__})")
    if len(content) > TOO_LARGE:
        return Unavailable("test file", f"it has more than {TOO_LARGE} bytes")
    try:
        return read_sample(content)
    except ValueError as error:
        return Unavailable("test file", str(error))


def file_of(run: Run) -> bytes | Unavailable:
    """What this run uploads."""
    sample = read_sample_file()
    return sample if isinstance(sample, Unavailable) else sample.of_run(run.id, run.created_at)


async def read_golden_batch(world: World, sha256: str) -> GoldenBatch | Unavailable | None:
    """The batch of this very file; None when there is none."""
    return await world.read(find_golden_batch, sha256=sha256)


async def gather_verification(
    world: World, *, sha256: str, batch_id: str, rows: int, upload_only: bool = False
) -> golden_path.Facts:
    """What the five SQL verifications look at."""
    async with asyncio.TaskGroup() as group:
        batch = group.create_task(read_golden_batch(world, sha256))
        counts = group.create_task(world.read(count_batch_rows, batch_id=batch_id))
        jobs = group.create_task(world.read(list_batch_jobs, keys=job_keys(batch_id)))
        exposures = group.create_task(world.read(list_exposures))
        reading = group.create_task(world.read(read_heartbeats))
    beats = reading.result()
    seen = None if isinstance(beats, Unavailable) else beats
    return golden_path.Facts(
        as_of=seen.as_of if seen else datetime.now(UTC),
        stale_after=world.settings.stale_after,
        rows=rows,
        upload_only=upload_only,
        batch=batch.result(),
        counts=counts.result(),
        jobs=jobs.result(),
        exposures=exposures.result(),
        heartbeats=beats if isinstance(beats, Unavailable) else beats.rows,
        all_visible=seen is None or seen.all_visible,
    )


async def gather_oncall(world: World) -> tuple[oncall.Facts, KnownOverrides]:
    """The facts of the check, and how old those of the database are."""
    known, absent = await world.overrides(), await read_absent(world)
    fault = world.schedule_fault.why if world.schedule_fault else None
    return oncall.Facts(usable_schedule(world), known.rows, datetime.now(UTC), absent, fault), known


async def read_absent(world: World) -> Mapping[str, str] | Unavailable:
    """`{Slack id: why it reaches no one}` of the on-call file; empty without Slack, or without a file.

    The bot keeps it in mind; a terminal asks Slack.
    """
    schedule, slack = world.schedule, world.settings.slack
    if not isinstance(schedule, Schedule) or isinstance(slack, Invalid):
        return {}
    ids = schedule.slack_ids
    if world.absent is not None:
        return _found(ids, world.absent)
    client = open_slack(slack)
    users = (one for one in ids if not is_group(one))
    groups = Groups(
        client,
        filter(is_group, ids),
        workspace=lambda: None,
        users=users,
        timeout_s=world.settings.source_timeout_s,
    )
    try:
        await groups.refresh()
        people = groups.known()
        unread = [one for one in (*people.groups.values(), *people.accounts.values()) if isinstance(one, Unavailable)]
        return unread[0] if unread else _found(ids, groups.absent)
    finally:
        await groups.aclose()
        await client.aclose()


def _found(ids: Iterable[str], absent: Absent) -> dict[str, str]:
    whys = {slack_id: absent(slack_id) for slack_id in sorted(ids)}
    return {slack_id: why for slack_id, why in whys.items() if why is not None}


def usable_schedule(world: World) -> Schedule | Unavailable | None:
    """None without an on-call file; why it cannot be used when it has a mistake."""
    schedule = world.schedule
    return Unavailable("on-call file", schedule.why) if isinstance(schedule, Invalid) else schedule


DEPLOYMENTS, RUNS, SCALINGS = 10, 30, 30  # as many as two hours hold


async def gather_recent_changes(world: World) -> Facts:
    """Takes as long as the slowest source."""
    services = (await world.recognized()).services
    async with asyncio.TaskGroup() as group:
        listed = {
            one: group.create_task(world.ask_railway(RailwayClient.list_deployments, one, limit=DEPLOYMENTS))
            for one in services
        }
        migrations = group.create_task(world.migrations())
        runs = group.create_task(world.read(list_runs, limit=RUNS))
        scaled = group.create_task(world.read(_list_scalings))
    deployments = {service: task.result() for service, task in listed.items()}
    return Facts(deployments, migrations.result(), runs.result(), scaled.result(), datetime.now(UTC))


async def _list_scalings(conn: Connection) -> list[ReplicaChange]:
    return await list_replica_changes(conn, within=LOOK_BACK, limit=SCALINGS)
