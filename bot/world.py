"""The world as the bot reads it: each read returns the value, or why it is unavailable."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bot.admission import Admission, PublicAnswers
from bot.config.environment import ApiSettings, DatabaseSettings, RailwaySettings, Settings, SlackSettings
from bot.config.fields import Invalid
from bot.config.oncall_file import load_schedule
from playbooks.checks.database import sees_all
from services.clients import git
from services.clients.dragonfly_api import DragonflyApi
from services.clients.postgres import approvals, drift, incidents, messages, migrations, operated
from services.clients.postgres import deployments as service_acts
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.writes import WriteProbe
from services.clients.railway.client import RailwayClient
from services.domain.database import ConnectionUse, MigrationStatus, SchemaDrift, ServerFacts, SessionRole
from services.domain.deployments import (
    Checkout,
    Deployment,
    LogLine,
    ServiceAct,
    ServiceState,
    VariableChange,
    with_journal,
)
from services.domain.errors import OperatorError, SourceError, Unavailable
from services.domain.health import ApiHealth, BotState, Endpoint, IntakeHealth
from services.domain.intake import Batch, IntakeEvent, RowFault
from services.domain.jobs import (
    FailedJob,
    Heartbeat,
    JobOutcomes,
    LockWait,
    MinuteThroughput,
    PendingJob,
    QueueSnapshot,
    RunningJob,
)
from services.domain.messages import RefusedMessage
from services.domain.oncall import Absent, KnownOverrides, Override, Schedule
from services.domain.runs import Lock
from services.domain.secrets import Secret, is_secret_name, remember_secrets
from services.domain.services import Service, WorkerType

if TYPE_CHECKING:
    from services.clients.slack import SlackClient


@dataclass(frozen=True)
class Clients:
    """One client a source; None where its settings are missing or malformed."""

    database: Database | None
    railway: RailwayClient | None
    api: DragonflyApi | None


def connect(settings: Settings) -> Clients:
    """Make the clients; none of them opens a connection yet."""
    return Clients(_database(settings), _railway(settings), _api(settings))


def open_slack(settings: SlackSettings) -> SlackClient:
    """For a terminal, which asks Slack rarely. Imported here, because the SDK takes longer to import than the bot."""
    from services.clients.slack import SlackClient

    return SlackClient(settings.bot_token, api_url=settings.api_url)


def why_missing(group: object) -> str:
    """Why a source has no client: its settings' faults, by the names of the variables."""
    if not isinstance(group, Invalid):
        return "not connected"
    return f"not configured: {group.why}"


def _database(settings: Settings) -> Database | None:
    group = settings.database
    if not isinstance(group, DatabaseSettings):
        return None
    return Database.connect_lazily(group.url, application_name="dragonfly-bot", timeout_s=settings.source_timeout_s)


def _railway(settings: Settings) -> RailwayClient | None:
    group = settings.railway
    if not isinstance(group, RailwaySettings):
        return None
    return RailwayClient(
        url=group.api_url,
        token=group.token,
        token_kind=group.token_kind,
        project_id=group.project_id,
        environment_id=group.environment_id,
        timeout_s=settings.runs.call_timeout_s,
    )


def _api(settings: Settings) -> DragonflyApi | None:
    group = settings.api
    if not isinstance(group, ApiSettings):
        return None
    return DragonflyApi(group.base, group.api_key, timeout_s=settings.source_timeout_s)


class OverrideMemory:
    """Remembers the last reading, in this process only."""

    def __init__(self) -> None:
        self._known: tuple[tuple[Override, ...], float] | None = None

    def recall(self, read: Sequence[Override] | Unavailable) -> KnownOverrides:
        """This reading; when it failed the last one that did not, with its age."""
        now = time.monotonic()
        if not isinstance(read, Unavailable):
            self._known = (tuple(read), now)
            return KnownOverrides(tuple(read))
        if self._known is None:
            return KnownOverrides(read, problem=read)
        rows, read_at = self._known
        return KnownOverrides(rows, timedelta(seconds=now - read_at), read)


@dataclass(frozen=True)
class KnownReplicas:
    """How many workers of each type should run. `age`: how old the oldest count is; zero when Railway just said so."""

    counts: Mapping[WorkerType, int | Unavailable]
    age: timedelta = timedelta()


class ReplicaMemory:
    """Remembers the last count of each worker type, in this process only."""

    def __init__(self) -> None:
        self._known: dict[WorkerType, tuple[int, float]] = {}

    def recall(self, services: Mapping[Service, ServiceState] | Unavailable) -> KnownReplicas:
        """The counts of this reading; what it lacks comes from an earlier one."""
        now = time.monotonic()
        if not isinstance(services, Unavailable):
            self._remember(services, now)
        ages = [now - at for _, at in self._known.values()]
        return KnownReplicas(
            {worker_type: self._count(worker_type, services) for worker_type in WorkerType},
            timedelta(seconds=max(ages, default=0.0)),
        )

    def _remember(self, services: Mapping[Service, ServiceState], now: float) -> None:
        for worker_type in WorkerType:
            state = services.get(worker_type.service)
            if state is not None and state.replicas_wanted is not None:
                self._known[worker_type] = (state.replicas_wanted, now)

    def _count(self, worker_type: WorkerType, services: object) -> int | Unavailable:
        if worker_type in self._known:
            return self._known[worker_type][0]
        if isinstance(services, Unavailable):
            return services
        return Unavailable("Railway", f"it names no replicas of {worker_type.service}")


logger = logging.getLogger(__name__)

T = TypeVar("T")


class Sources:
    """Asks sources with one time limit each, and keeps the calls that outlive theirs until they have ended."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._late: set[asyncio.Task[Any]] = set()

    async def ask(self, source: str, call: Coroutine[Any, Any, T]) -> T | Unavailable:
        """The call's value, or why there is none. Returns at the time limit even when the call is slow to be cancelled.

        `asyncio.timeout` would wait for the cancelled call to clean up, which takes a query on a frozen server seconds.
        """
        task = asyncio.create_task(call)
        task.add_done_callback(_look_at_error)
        try:
            await asyncio.wait({task}, timeout=self._timeout_s)
        finally:
            if not task.done():
                self._abandon(task)
        if not task.done():
            return Unavailable(source, f"no answer within {self._timeout_s:g} s", is_outage=True)
        return _result(source, task)

    async def close(self) -> None:
        """Wait until the calls that outlived their time have ended."""
        await asyncio.gather(*self._late, return_exceptions=True)

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        task.cancel()
        self._late.add(task)
        task.add_done_callback(self._late.discard)


def _look_at_error(task: asyncio.Task[Any]) -> None:
    """Asyncio logs an error that nobody retrieves, as when the caller was cancelled in the moment of the failure."""
    if not task.cancelled():
        task.exception()


def _result(source: str, task: asyncio.Task[T]) -> T | Unavailable:
    try:
        return task.result()
    except SourceError as error:
        return Unavailable(error.source, error.why, error.http_status, is_outage=error.is_outage)
    except OperatorError as error:
        return Unavailable(source, error.why)
    except Exception as error:  # one source's bug must not take the others' answers away
        # Only the kind and the place: the message may hold a value.
        logger.error("asking %s failed: %s at %s", source, type(error).__name__, _place(error))  # noqa: TRY400
        return Unavailable(source, f"its answer could not be understood ({type(error).__name__})")


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"


JOBS, BEATS, EVENTS = "ops.job_queue", "ops.worker_heartbeats", "ops.intake_logs"
BATCHES, ROWS = "intake.simplicity_batches", "intake.simplicity_raw_rows"
JOURNAL_PATIENCE_S = 1.0  # what Railway said does not wait longer for what our journal adds to it
ACTS = 10  # of each service: more than two hours hold


@dataclass(frozen=True)
class HeartbeatReading:
    """Heartbeats as of one moment of the database's clock. `all_visible`: no row-level security hides rows from us."""

    as_of: datetime
    rows: tuple[Heartbeat, ...]
    all_visible: bool = True


@dataclass(frozen=True)
class KnownServices:
    """What Railway said `age` ago."""

    services: dict[Service, ServiceState]
    age: timedelta


class World:
    """Reads facts. No method raises for a source that fails, and none takes longer than `settings.source_timeout_s`.

    A source without settings is None; its reads say which variables are missing. `bot_state` is the bot's own view of
    itself, None on the terminal. `writes` proves that the database takes them. `schedule`: of the on-call file, None
    without one. `questions`, `plans` and `decisions` bound how many commands of each kind work at the same time,
    `public_answers` how many answers a channel gets to see. `name_of`: what somebody is called by their Slack id; the
    bot, which may ask Slack, puts a better one in its place. `absent`: why nobody is reached behind a Slack id, None
    where nothing keeps that in mind. `api_well_until`: the last good answer of the API before it stopped answering well
    last; None while this process has not seen that.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database | None = None,
        railway: RailwayClient | None = None,
        api: DragonflyApi | None = None,
        git_sha: str | None = None,
        bot_state: Callable[[], BotState] | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.writes = WriteProbe(database, timeout_s=settings.source_timeout_s) if database else None
        self.railway = railway
        self.api = api
        self.git_sha = git_sha
        self.bot_state = bot_state
        self._sources = Sources(settings.source_timeout_s)
        self._replicas = ReplicaMemory()
        self._overrides = OverrideMemory()
        self._acts: Sequence[ServiceAct] = ()
        self.questions, self.plans, self.decisions = Admission(), Admission(), Admission(at_once=8, per_person=4)
        self.public_answers = PublicAnswers(time.monotonic)
        self._last_services: tuple[dict[Service, ServiceState], float] | None = None
        self.schedule = load_schedule(settings.oncall)
        self.name_of: Callable[[str], str] = self._name_in_file
        self.absent: Absent | None = None
        self.api_well_until: datetime | None = None
        self._api_well_at: datetime | None = None

    @classmethod
    def from_settings(cls, settings: Settings, *, bot_state: Callable[[], BotState] | None = None) -> World:
        """A world with a client for each group of settings that is complete. Opens no connection yet."""
        clients: Clients = connect(settings)
        return cls(
            settings,
            database=clients.database,
            railway=clients.railway,
            api=clients.api,
            git_sha=settings.git_sha,
            bot_state=bot_state,
        )

    async def close(self) -> None:
        """Close every client, after the calls that outlived their time."""
        await self._sources.close()
        for client in (self.railway, self.api):
            if client is not None:
                await client.aclose()
        if self.database is not None:
            await self.database.close()

    def _name_in_file(self, slack_id: str) -> str:
        """By the on-call file; the id itself for whom it does not name."""
        return self.schedule.person_of(slack_id).name if isinstance(self.schedule, Schedule) else slack_id

    async def api_health(self) -> ApiHealth | Unavailable:
        health = await self._ask_api(lambda api: api.read_health())
        self._note_api(is_well=isinstance(health, ApiHealth) and health.is_ok)
        return health

    async def intake_health(self) -> IntakeHealth | Unavailable:
        return await self._ask_api(lambda api: api.read_intake_health())

    async def endpoints(self) -> frozenset[Endpoint] | Unavailable:
        """The operations that the API says it has."""
        return await self._ask_api(lambda api: api.read_endpoints())

    async def batch(self, batch_id: str) -> Batch | Unavailable:
        """One batch with its counts, as the API tells them."""
        return await self._ask_api(lambda api: api.read_batch(batch_id))

    async def server(self) -> ServerFacts | Unavailable:
        """What the server says of itself, and whether it takes our writes: a read alone does not tell."""
        facts = await self.read(operated.read_server)
        if isinstance(facts, Unavailable) or self.writes is None:
            return facts
        problem = await self._sources.ask("database", self.writes.problem())
        return replace(facts, refuses_writes=problem.why if problem else None)

    async def session_roles(self) -> list[SessionRole] | Unavailable:
        """As which role the API and the workers are connected."""
        return await self.read(operated.list_session_roles)

    async def heartbeats(self) -> HeartbeatReading | Unavailable:
        return await self.read(_read_heartbeats)

    async def queue(self) -> QueueSnapshot | Unavailable:
        return await self.read(lambda conn: operated.read_queue_snapshot(conn, stale_after=self.settings.stale_after))

    async def migrations(self) -> MigrationStatus | Unavailable:
        directory = self.settings.changing.migrations
        return await self.read(lambda conn: migrations.read_migrations(conn, directory=directory))

    async def drift(self) -> SchemaDrift | Unavailable:
        """How far the database differs from what our queries expect of it."""
        return await self.read(drift.read_drift)

    async def failed_jobs(self, window: timedelta, *, limit: int = 500) -> list[FailedJob] | Unavailable:
        """The newest first, at most `limit`."""
        return await self.read_all_rows(lambda conn: operated.list_failed_jobs(conn, window=window, limit=limit), JOBS)

    async def job_error(self, job_id: str) -> str | Unavailable | None:
        """The error of a job, whole; None when there is no such job, or it has none."""
        return await self.read_all_rows(lambda conn: operated.read_job_error(conn, job_id=job_id), JOBS)

    async def failed_job_count(self, window: timedelta) -> int | Unavailable:
        return await self.read_all_rows(lambda conn: operated.count_failed_jobs(conn, window=window), JOBS)

    async def throughput(self, window: timedelta) -> list[MinuteThroughput] | Unavailable:
        return await self.read_all_rows(lambda conn: operated.list_throughput(conn, window=window), JOBS)

    async def oldest_pending(self, *, limit: int = 20) -> list[PendingJob] | Unavailable:
        """Due jobs, the longest waiting first."""
        return await self.read_all_rows(lambda conn: operated.list_oldest_pending(conn, limit=limit), JOBS)

    async def next_due(self, job_types: Sequence[str]) -> dict[str, datetime] | Unavailable:
        """Since when the next job of each type has been due; a type without one is absent."""
        return await self.read_all_rows(lambda conn: operated.list_next_due(conn, job_types=job_types), JOBS)

    async def running_jobs(self, *, limit: int = 100) -> list[RunningJob] | Unavailable:
        """Jobs in processing, the longest running first."""
        return await self.read_all_rows(lambda conn: operated.list_running_jobs(conn, limit=limit), JOBS, BEATS)

    async def lock_waits(self) -> list[LockWait] | Unavailable:
        return await self.read(operated.list_lock_waits)

    async def job_outcomes(self, spans: Sequence[tuple[datetime, datetime]]) -> list[JobOutcomes] | Unavailable:
        """How jobs ended in each span, in the given order."""
        return await self.read_all_rows(lambda conn: operated.list_job_outcomes(conn, spans=spans), JOBS)

    async def connections(self) -> ConnectionUse | Unavailable:
        """The database's sessions against its limit, or against the pooler's where that is set and lower."""
        use = await self.read(operated.read_connection_use)
        told = self.settings.changing.connection_limit
        if isinstance(use, Unavailable) or told is None:
            return use
        return ConnectionUse(use.used, min(told, use.limit))

    async def locks(self) -> dict[Service, Lock] | Unavailable:
        """The services that are locked against deploys."""
        listed = await self.read(approvals.list_locks)
        if isinstance(listed, Unavailable):
            return listed
        return {lock.service: replace(lock, owner_name=self.name_of(lock.owner)) for lock in listed}

    async def overrides(self) -> KnownOverrides:
        """Who stands in for whom on call, as last read when the database is away."""
        return self._overrides.recall(await self.read(incidents.list_overrides))

    async def batches(self, *, limit: int = 10) -> list[Batch] | Unavailable:
        return await self.read_all_rows(lambda conn: operated.list_batches(conn, limit=limit), BATCHES)

    async def find_batches(self, beginning: str) -> list[Batch] | Unavailable:
        """The batches whose id begins so, at most two: whether there is one, and only one."""
        return await self.read_all_rows(lambda conn: operated.find_batches(conn, beginning=beginning), BATCHES)

    async def row_faults(self, batch_id: str, *, limit: int = 20) -> list[RowFault] | Unavailable:
        return await self.read_all_rows(
            lambda conn: operated.list_row_faults(conn, batch_id=batch_id, limit=limit), ROWS
        )

    async def intake_events(self, *, limit: int = 20) -> list[IntakeEvent] | Unavailable:
        return await self.read_all_rows(lambda conn: operated.list_intake_events(conn, limit=limit), EVENTS)

    async def undeliverable(self, *, limit: int = 10) -> list[RefusedMessage] | Unavailable:
        """What Slack refused for good in the last 24 h, newest first."""
        return await self.read(lambda conn: messages.list_undeliverable(conn, window=timedelta(days=1), limit=limit))

    async def railway_services(self) -> dict[Service, ServiceState] | Unavailable:
        """What Railway says, and of a service that does not run whether a run of ours stopped it."""
        services = await self._ask_railway(lambda railway: railway.read_services())
        if not isinstance(services, Unavailable):
            self._last_services = services, time.monotonic()
        if isinstance(services, Unavailable) or not any(state.needs_journal for state in services.values()):
            return services
        acts = await self._recall_acts()
        return {service: with_journal(state, acts) for service, state in services.items()}

    def last_railway_services(self) -> KnownServices | None:
        """The last answer of `railway_services`, however old; None before the first."""
        if self._last_services is None:
            return None
        services, at = self._last_services
        return KnownServices(services, timedelta(seconds=time.monotonic() - at))

    async def service_acts(self) -> list[ServiceAct] | Unavailable:
        """What runs of ours did to each service's deployments of late, newest first."""
        return await self.read(lambda conn: service_acts.list_service_acts(conn, services=tuple(Service), limit=ACTS))

    def expected_replicas(self, services: dict[Service, ServiceState] | Unavailable) -> KnownReplicas:
        """How many workers should run, by this reading of `railway_services`, or by an earlier one if it lacks them."""
        return self._replicas.recall(services)

    async def deployments(self, service: Service, *, limit: int = 10) -> list[Deployment] | Unavailable:
        """Newest first."""
        return await self._ask_railway(lambda railway: railway.list_deployments(service, limit=limit))

    # `filter` is Railway's own word for it.
    async def logs(self, deployment_id: str, *, limit: int = 100, filter: str = "") -> list[LogLine] | Unavailable:  # noqa: A002
        """The newest lines, oldest first."""
        return await self._ask_railway(lambda railway: railway.read_logs(deployment_id, limit=limit, filter=filter))

    async def build_logs(self, deployment_id: str, *, limit: int = 100) -> list[LogLine] | Unavailable:
        return await self._ask_railway(lambda railway: railway.read_build_logs(deployment_id, limit=limit))

    async def variables(self, service: Service) -> dict[str, Secret] | Unavailable:
        """What they hold is remembered as ours: from then on no secret among them leaves through any door."""
        read = await self._ask_railway(lambda railway: railway.read_variables(service))
        if not isinstance(read, Unavailable):
            remember_secrets(
                f"variables of {service.short}", (one for name, one in read.items() if _is_secret(name, one))
            )
        return read

    async def variable_changes(self, service: Service) -> list[VariableChange] | Unavailable:
        """Newest first, names only, as far as Railway's history goes."""
        return await self._ask_railway(lambda railway: railway.list_variable_changes(service))

    async def auto_deploy(self, service: Service) -> bool | Unavailable:
        """Whether a push to main deploys the service."""
        return await self._ask_railway(lambda railway: railway.read_auto_deploy(service))

    async def railway_environment(self) -> str | Unavailable:
        """The name of Railway's environment ("production")."""
        return await self._ask_railway(lambda railway: railway.read_environment_name())

    async def checkout(self, directory: Path) -> Checkout | Unavailable:
        """The git checkout that a directory of this machine belongs to."""
        return await self._sources.ask("git", git.read_checkout(directory))

    async def is_pushed(self, directory: Path, tag: str) -> bool | Unavailable:
        """Whether the checkout's remote has this tag."""
        return await self._sources.ask("git", git.is_pushed(directory, tag))

    async def read(self, query: Callable[[Connection], Awaitable[T]]) -> T | Unavailable:
        """Any read of the database, in one read-only transaction."""
        if self.database is None:
            return Unavailable("database", why_missing(self.settings.database))
        return await self._sources.ask("database", self._in_transaction(self.database, query))

    async def read_all_rows(self, query: Callable[[Connection], Awaitable[T]], *tables: str) -> T | Unavailable:
        """A read whose answer counts on every row of these tables: not known where row-level security may hide some."""

        async def read(conn: Connection) -> T:
            hidden = await operated.list_hidden_tables(conn, tables=tables)
            if hidden:
                raise SourceError("database", f"row-level security hides rows of {', '.join(hidden)} from our role")
            return await query(conn)

        return await self.read(read)

    async def _recall_acts(self) -> Sequence[ServiceAct]:
        """As last read, when the database does not answer at once."""
        if self.database is not None:
            try:
                async with asyncio.timeout(JOURNAL_PATIENCE_S):
                    acts = await self.service_acts()
            except TimeoutError:
                return self._acts
            self._acts = self._acts if isinstance(acts, Unavailable) else acts
        return self._acts

    def _note_api(self, *, is_well: bool) -> None:
        if is_well:
            self._api_well_at = datetime.now(UTC)
        elif self._api_well_at is not None:
            self.api_well_until, self._api_well_at = self._api_well_at, None

    async def _ask_api(self, call: Callable[[DragonflyApi], Coroutine[Any, Any, T]]) -> T | Unavailable:
        if self.api is None:
            return Unavailable("API", why_missing(self.settings.api))
        return await self._sources.ask("API", call(self.api))

    async def _ask_railway(self, call: Callable[[RailwayClient], Coroutine[Any, Any, T]]) -> T | Unavailable:
        if self.railway is None:
            return Unavailable("Railway", why_missing(self.settings.railway))
        return await self._sources.ask("Railway", call(self.railway))

    async def _in_transaction(self, database: Database, query: Callable[[Connection], Awaitable[T]]) -> T:
        async with database.read(timeout_s=self.settings.source_timeout_s) as conn:
            return await query(conn)


def _is_secret(name: str, value: Secret) -> bool:
    """By the variable's name, or because it is an address with a password."""
    return is_secret_name(name) or "@" in value.reveal().partition("://")[2]


async def _read_heartbeats(conn: Connection) -> HeartbeatReading:
    rows = await operated.list_heartbeats(conn)
    facts = await operated.read_server(conn)  # now() is the transaction's: the same moment as the rows'
    return HeartbeatReading(facts.server_time, tuple(rows), sees_all(facts))
