"""The newest value of each source that the alert rules read, polled at its own interval.

A page must not wait for Railway or the API: their last answer is good enough, and fresh ones are used at the next
evaluation. Heartbeats are read by the evaluator itself, because they have to be the freshest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Generic, TypeVar

from bot.alerts.freed import FreedMemory
from bot.alerts.snapshot import SlowReads, Snapshot, Work
from bot.facts.oncall import gather_oncall, usable_schedule
from bot.views.alerts import Surroundings
from bot.world import World
from playbooks.checks import oncall
from playbooks.checks.outcomes import Usual
from playbooks.checks.triage import Earlier
from playbooks.last_deploys import Facts as Deploys
from playbooks.last_deploys import find_suspect, last_deploys, remember_deployments
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres import operated
from services.clients.postgres.freezes import list_locks
from services.clients.postgres.operated import (
    list_exposures,
    list_job_outcomes,
    list_lock_waits,
    read_database_gb,
    read_server,
)
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import counts_all_rows
from services.clients.railway.client import RailwayClient
from services.domain.deployments import Deployment, ServiceState
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.jobs import HeartbeatReading, QueueSnapshot
from services.domain.services import Service
from services.domain.usage import ServiceUsage

EVERY_S = 20.0
SLOW_READS_EVERY_S = 300.0
AUTO_DEPLOY_EVERY_S = 3600.0
METRICS_EVERY_S = 30.0
METRICS_AGAIN_S = 600.0  # after a refusal: the token may have no access, and each request counts against the rate limit
PATIENCE_S = 1.0

AWAY_AFTER = timedelta(seconds=60)  # three reads failed: workers could not write their heartbeats either
HOUR = timedelta(hours=1)
LATELY, BEFORE = timedelta(minutes=10), timedelta(hours=6)

T = TypeVar("T")
Services = Mapping[Service, ServiceState]
Usages = Mapping[Service, ServiceUsage]


class Poll(Generic[T]):
    """Polls one source. `answer` is None until the first answer.

    `heard` receives each answer as soon as it arrives. `news` extracts the part that matters: `answered` is called if
    that part differs from the answer before, and after the answer to a refresh notice.
    """

    def __init__(
        self,
        ask: Callable[[], Coroutine[Any, Any, T]],
        every_s: float,
        *,
        heard: Callable[[T], None] = lambda _: None,
        news: Callable[[T], object] = lambda _: None,
        answered: Callable[[], None] = lambda: None,
    ) -> None:
        self._ask = ask
        self._every_s = every_s
        self._heard = heard
        self._news = news
        self._answered = answered
        self._is_hinted = False
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[T] | None = None
        self.answer: T | None = None

    def start_if_due(self) -> asyncio.Task[T] | None:
        """Return the request under way, or a new one if it is due; None while the answer is fresh enough."""
        self._take()
        now = asyncio.get_running_loop().time()
        if self._asking is None and now - self._asked_at >= self._every_s:
            self._begin()
        return self._asking

    def hasten(self) -> None:
        """Ask now, whatever the interval. A request under way may miss the change, so another one follows it."""
        self._is_hinted = True
        self._take()
        if self._asking is None:
            self._begin()

    def take(self) -> T | None:
        """Return the newest answer."""
        self._take()
        return self.answer

    async def close(self) -> None:
        """Stop asking, and drop the answer: it must not pass for the newest if this poll is used again much later."""
        asking, self._asking = self._asking, None
        self.answer, self._asked_at, self._is_hinted = None, float("-inf"), False
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def _begin(self) -> None:
        is_hinted, self._is_hinted = self._is_hinted, False
        self._asked_at = asyncio.get_running_loop().time()
        self._asking = asyncio.create_task(self._ask())
        self._asking.add_done_callback(lambda asked: self._end(asked, is_hinted=is_hinted))

    def _end(self, asked: asyncio.Task[T], *, is_hinted: bool) -> None:
        """Pass the answer on, because no read may follow soon. An error reaches the next reader."""
        if asked.cancelled() or asked.exception() is not None:
            return
        answer, before = asked.result(), self.answer
        self._heard(answer)
        if is_hinted or (before is not None and self._news(answer) != self._news(before)):
            self._answered()
        if self._is_hinted:
            self._take()
            self._begin()

    def _take(self) -> None:
        if self._asking is not None and self._asking.done():
            asking, self._asking = self._asking, None
            self.answer = asking.result()


class Sources:
    """All sources of the alert rules. A source that is not configured is never asked.

    `answered` is called after the answer to a refresh notice, which may take longer than an evaluation waits, and when
    Railway or the API answer differently than before: an evaluation that is due waits for neither, and the next one may
    be 20 s away. `on_services` receives Railway's answers as they arrive.
    """

    def __init__(
        self,
        world: World,
        *,
        answered: Callable[[], None] = lambda: None,
        on_services: Callable[[Services], None] = lambda _: None,
    ) -> None:
        def heard(answer: Services | Unavailable) -> None:
            if not isinstance(answer, Unavailable):
                on_services(answer)

        self._world = world
        railway_every_s = world.settings.evaluator.railway_every_s
        has_api, has_railway = world.api is not None, world.railway is not None
        self._api = Poll(world.api_health, EVERY_S, news=_is_well, answered=answered) if has_api else None
        self._intake = Poll(partial(world.ask_api, DragonflyApi.read_intake_health), EVERY_S) if has_api else None
        self._services = (
            Poll(world.railway_services, railway_every_s, heard=heard, news=_reported, answered=answered)
            if has_railway
            else None
        )
        self._usage = Poll(self._read_usage, METRICS_EVERY_S) if has_railway else None
        self._auto_deploy = Poll(self._read_auto_deploy, AUTO_DEPLOY_EVERY_S) if has_railway else None
        self._work = Poll(self._read_work, EVERY_S)
        self._slow_reads = Poll(self._read_slow_values, SLOW_READS_EVERY_S)
        self._database_usage = Poll(world.database_usage, SLOW_READS_EVERY_S) if world.supabase is not None else None
        self._oncall = Poll(self._read_oncall, SLOW_READS_EVERY_S) if usable_schedule(world) is not None else None
        self._earlier: Earlier | None = None
        self._back_at: datetime | None = None
        self._made: Mapping[Service, Sequence[Deployment]] = {}
        self._freed = FreedMemory()
        self._metrics_refused: tuple[Unavailable, float] | None = None

    async def refresh(self, patience_s: float) -> None:
        """Ask the sources that are due. Wait for those that have never answered, and at most `patience_s` for the
        others."""
        asking = [(poll, poll.start_if_due()) for poll in self._polls]
        first = [task for poll, task in asking if task is not None and poll.answer is None]
        if first:
            await asyncio.wait(first)  # every source has its own time limit
        rest = [task for _, task in asking if task is not None and not task.done()]
        if rest and patience_s > 0:
            await asyncio.wait(rest, timeout=patience_s)

    def hasten(self) -> None:
        """Ask Railway and the API again now, because something may have changed at Railway."""
        for poll in (self._services, self._api):
            if poll is not None:
                poll.hasten()

    def see(self, reading: HeartbeatReading) -> Snapshot:
        """Build the snapshot from the newest answers. Remembers the heartbeats for the next one."""
        world, services = self._world, self._services.take() if self._services else None
        if self._earlier is not None and reading.as_of - self._earlier.as_of > AWAY_AFTER:
            self._back_at = reading.as_of
        has_railway = services is not None and not isinstance(services, Unavailable)
        if services is not None and not isinstance(services, Unavailable):
            self._made = remember_deployments(self._made, services, reading.as_of)
        replicas = world.expected_replicas(Unavailable("Railway", "not configured") if services is None else services)
        snapshot = Snapshot(
            now=reading.as_of,
            stale_after=world.settings.stale_after,
            environment=world.settings.environment,
            heartbeats=reading.rows,
            expected=replicas.counts,
            expected_age=replicas.age,
            all_visible=reading.all_visible,
            earlier=self._earlier,
            back_at=self._back_at,
            api=self._api.take() if self._api else None,
            intake=self._intake.take() if self._intake else None,
            services=services,
            made=self._made if has_railway else {},
            work=self._work.take(),
            slow_reads=self._slow_reads.take(),
            auto_deploy=self._auto_deploy.take() if self._auto_deploy else None,
            bot=world.bot_state() if world.bot_state else None,
            oncall=self._oncall.take() if self._oncall else None,
            usage=self._usage.take() if self._usage else None,
            database_usage=self._database_usage.take() if self._database_usage else None,
            answered=world.api_answered,
            system=world.system,
        )
        beats = {beat.worker_id: beat.last_heartbeat_at for beat in reading.rows}
        self._earlier = Earlier(reading.as_of, beats)
        return replace(snapshot, freed_gb=self._freed.update(snapshot))

    async def close(self) -> None:
        """Stop asking."""
        for poll in self._polls:
            await poll.close()

    @property
    def _polls(self) -> list[Poll[Any]]:
        railways = (self._services, self._auto_deploy, self._usage)
        polls = (self._api, self._intake, *railways, self._work, self._slow_reads, self._database_usage, self._oncall)
        return [poll for poll in polls if poll is not None]

    async def _read_work(self) -> Work:
        """Read one after the other, so that an idle bot holds few database sessions."""
        world = self._world
        queue = await world.queue()
        exhausted = await world.read(operated.count_exhausted_jobs, window=HOUR)
        waits = await world.read(list_lock_waits)
        locks = await world.read(list_locks)
        acts = await world.service_acts()
        unclaimed = await world.read(operated.list_unclaimed, job_types=world.system.job_types)
        return Work(queue, exhausted, waits, locks, acts, unclaimed)

    async def _read_slow_values(self) -> SlowReads:
        read = self._world.read
        server, migrations = await read(read_server), await self._world.migrations()
        exposures, ended = await read(list_exposures), await read(_read_outcomes)
        return SlowReads(
            server, migrations, exposures, ended, await self._world.connections(), await read(read_database_gb)
        )

    async def _read_usage(self) -> Usages | Unavailable:
        """Read Railway's metrics; after a refusal, return that refusal for `METRICS_AGAIN_S` without asking."""
        now_s = asyncio.get_running_loop().time()
        if self._metrics_refused is not None and now_s - self._metrics_refused[1] < METRICS_AGAIN_S:
            return self._metrics_refused[0]
        found = await self._world.ask_railway(RailwayClient.read_metrics, datetime.now(UTC))
        self._metrics_refused = (found, now_s) if isinstance(found, Unavailable) and not found.is_outage else None
        return found

    async def _read_oncall(self) -> oncall.Facts:
        facts, _ = await gather_oncall(self._world)
        return facts

    async def _read_auto_deploy(self) -> dict[Service, bool | Unavailable]:
        return {
            service: await self._world.ask_railway(RailwayClient.read_auto_deploy, service)
            for service in self._world.system.services
        }


def _is_well(health: ApiHealth | Unavailable) -> bool:
    return isinstance(health, ApiHealth) and health.is_ok


def _reported(services: Services | Unavailable) -> Services | None:
    return None if isinstance(services, Unavailable) else services


def surroundings_of(snapshot: Snapshot, name_of: Callable[[str], str]) -> Surroundings:
    """Context that a page line shows besides the problem: queue, last deploys and suspected deploys, as far as
    known."""
    acts = snapshot.work.acts if snapshot.work else ()
    states = {} if snapshot.services is None or isinstance(snapshot.services, Unavailable) else snapshot.services
    known = Deploys(
        snapshot.now,
        snapshot.made,
        () if isinstance(acts, Unavailable) else acts,
        name_of,
        snapshot.heartbeats,
        {service: state.replicas_configured for service, state in states.items() if state.replicas_configured},
        snapshot.answered,
        system=snapshot.system,
    )
    words = {service: last_deploys(known, service) for service in (None, *snapshot.system.services)}
    suspects = {one: suspect for one in snapshot.system.services if (suspect := find_suspect(known, one)) is not None}
    return Surroundings(snapshot.environment, queue_of(snapshot), words, suspects)


def queue_of(snapshot: Snapshot) -> QueueSnapshot | None:
    """The job queue; None if it is unknown or rows may be hidden."""
    queue = snapshot.work.queue if snapshot.work and snapshot.all_visible else None
    return None if isinstance(queue, Unavailable) else queue


@counts_all_rows("list_job_outcomes")
async def _read_outcomes(conn: Connection) -> Usual:
    now = (await read_server(conn)).server_time
    lately, before = await list_job_outcomes(conn, spans=[(now - LATELY, now), (now - LATELY - BEFORE, now - LATELY)])
    return Usual(lately, before)


def earliest(*moments: datetime | None) -> datetime | None:
    """The earliest of these moments; None if there is none."""
    return min((moment for moment in moments if moment is not None), default=None)
