"""Reads the facts of the operated system: each read returns the value, or the reason why it is unavailable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from bot.admission import Admission, AuditLimit, PublicAnswers
from bot.clients import Clients, connect, why_missing
from bot.config.environment import Settings
from bot.config.fields import Invalid
from bot.config.paging import OnCallSettings
from bot.last_known import KnownOverrides, KnownReplicas, KnownServices, OverrideMemory, ReplicaMemory
from bot.sources import Sources
from playbooks.log_lines import BANNER_WORDS, banner_commits
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres import deployments as service_acts
from services.clients.postgres import migrations, operated
from services.clients.postgres.freezes import list_freezes, list_locks
from services.clients.postgres.pool import Connection, Database, system_of
from services.clients.postgres.queries import tables_counted_by
from services.clients.postgres.waiting_list import reading_facts
from services.clients.postgres.writes import WriteProbe
from services.clients.railway.client import RailwayClient
from services.clients.slack_channel import SOURCE as SLACK
from services.clients.slack_channel import read_channel_problem
from services.domain.database import ConnectionUse, MigrationStatus, ServerFacts
from services.domain.deployments import (
    ServiceAct,
    ServiceState,
    find_state,
    with_heartbeats,
    with_journal,
)
from services.domain.errors import SourceError, Unavailable
from services.domain.freezes import Freeze, Lock
from services.domain.health import AnsweredWell, ApiHealth, BotState
from services.domain.jobs import (
    Heartbeat,
    HeartbeatReading,
    QueueSnapshot,
)
from services.domain.secret_shapes import is_secret_name
from services.domain.secrets import Secret, remember_secrets
from services.domain.services import DECLARED, Service
from services.domain.systems import RUNBOOK, CommitSource, System
from services.domain.usage import Usage

if TYPE_CHECKING:
    from services.clients.openai import OpenAIClient
    from services.clients.supabase import SupabaseClient
    from services.domain.calendar_slots import CalendarState
    from services.domain.oncall import Absent, Schedule


def _schedule(settings: Settings) -> Schedule | Invalid | None:
    """Load the on-call schedule. Imported here: a terminal seldom has an on-call file, and starts faster without."""
    if isinstance(settings.oncall, OnCallSettings) and settings.oncall.path is None:
        return None
    from bot.config.oncall_file import load_schedule

    return load_schedule(settings.oncall)


P = ParamSpec("P")
T = TypeVar("T")


JOURNAL_PATIENCE_S = 1.0  # the longest that Railway's answer waits for our journal
RECOGNITION_PATIENCE_S = 2.0  # the longest that a call of the API waits for the system's recognition
BANNERS = 200  # log lines: starts of one deployment's replicas, including crash loops
ACTS = 10  # per service: more than happen in 2 hours


class World:
    """Reads facts. No method raises for a source that fails, and none takes longer than `settings.source_timeout_s`.

    A source without settings is None; its reads name the missing variables. `bot_state`: returns the bot's own state;
    None on the terminal. `writes`: checks that the database accepts writes. `schedule`: from the on-call file, None
    without a file; `schedule_fault`: why the current file is not in force, None while it is. `calendars`: `{rotation:
    state of its calendar}`. `openai`: the model's client, None without a key. `questions`, `asks`, `plans` and
    `decisions` limit how many commands of each kind run at once, `public_answers` the answers per channel,
    `audit_limit` the audit rows about reads. `name_of`: name of a person by Slack id; the bot replaces it by one that
    may ask Slack. `absent`: why a Slack id reaches no one, None where that is not cached; `unreachable`: the same,
    including ids that Slack does not know. `api_answered`: the good answers of the API before it last stopped
    answering well; None if this process has not seen that. `workspace_url`: returns the address of the Slack workspace
    ("https://acme.slack.com/"), which only the bot knows.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database | None = None,
        railway: RailwayClient | None = None,
        api: DragonflyApi | None = None,
        openai: OpenAIClient | None = None,
        supabase: SupabaseClient | None = None,
        git_sha: str | None = None,
        bot_state: Callable[[], BotState] | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.writes = WriteProbe(database, timeout_s=settings.source_timeout_s) if database else None
        self.railway = railway
        self.api = api
        self.openai = openai
        self.supabase = supabase
        self.git_sha = git_sha
        self.bot_state = bot_state
        self._sources = Sources(settings.source_timeout_s)
        self._replicas = ReplicaMemory()
        self._overrides = OverrideMemory()
        self._commits: dict[str, str] = {}  # `{worker id: commit}`; a worker id belongs to one process
        self._acts: Sequence[ServiceAct] = ()
        self.questions, self.plans, self.decisions = Admission(), Admission(), Admission(at_once=8, per_person=4)
        self.asks = Admission(per_person=1)  # each runs several reads, and may wait for a model
        self.public_answers = PublicAnswers(time.monotonic)
        self.audit_limit = AuditLimit(time.monotonic)
        self._last_services: tuple[dict[Service, ServiceState], float] | None = None
        self.schedule = _schedule(settings)
        self.schedule_fault: Invalid | None = None
        self.calendars: Mapping[str, CalendarState] = {}
        self.name_of: Callable[[str], str] = self._name_in_file
        self.absent: Absent | None = None
        self.unreachable: Absent | None = None
        self.workspace_url: Callable[[], str | None] = lambda: None
        self.api_answered: AnsweredWell | None = None
        self._api_answers: AnsweredWell | None = None
        self._is_api_well = False

    @classmethod
    def from_settings(cls, settings: Settings, *, bot_state: Callable[[], BotState] | None = None) -> World:
        """Make a world with a client for each complete group of settings. Opens no connection yet."""
        clients: Clients = connect(settings)
        return cls(
            settings,
            database=clients.database,
            railway=clients.railway,
            api=clients.api,
            openai=clients.openai,
            supabase=clients.supabase,
            git_sha=settings.git_sha,
            bot_state=bot_state,
        )

    async def close(self) -> None:
        """Close every client, after the calls that exceeded their time limit have ended."""
        await self._sources.close()
        for client in (self.railway, self.api, self.openai, self.supabase):
            if client is not None:
                await client.aclose()
        if self.database is not None:
            await self.database.close()

    def _name_in_file(self, slack_id: str) -> str:
        """The person's name in the on-call file; the id itself if the file does not name them."""
        return slack_id if isinstance(self.schedule, Invalid | None) else self.schedule.person_of(slack_id).name

    @property
    def system(self) -> System:
        """The operated system: by the settings, else as the newest database session found it, else the runbook's."""
        operated = self.settings.operated
        recognition = self.database.recognition if self.database else None
        return operated.system or operated.named(recognition.nearest if recognition else RUNBOOK)

    @property
    def known_services(self) -> tuple[Service, ...]:
        """Services that people may name: those of the operated system, or of every system while it is unknown."""
        return self.system.services if self.is_recognized else tuple(DECLARED)

    @property
    def is_recognized(self) -> bool:
        """True if `system` is known, and not the default."""
        named = self.settings.operated.system is not None
        return named or (self.database is not None and self.database.is_recognized)

    async def recognized(self) -> System:
        """Return the operated system, after waiting up to 2 s for the database's first session, which recognizes it."""
        database = self.database
        if database is not None and not self.is_recognized and database.away_since is None:
            with suppress(SourceError, TimeoutError):
                async with asyncio.timeout(RECOGNITION_PATIENCE_S):
                    await database.open()
        return self.system

    async def with_commits(self, reading: HeartbeatReading) -> HeartbeatReading:
        """Add the commits of live workers that report them only in their log. The commits are cached."""
        unread = [beat for beat in reading.rows if self._is_in_banner(beat, reading.as_of)]
        services = {self.system.service_of_worker(beat.worker_type) for beat in unread}
        await asyncio.gather(*(self._read_banners(service) for service in services if service is not None))
        commits = {beat.worker_id: self._commits.get(beat.worker_id) for beat in reading.rows}
        rows = (replace(beat, git_sha=beat.git_sha or commits[beat.worker_id]) for beat in reading.rows)
        return replace(reading, rows=tuple(rows))

    def _is_in_banner(self, beat: Heartbeat, now: datetime) -> bool:
        service = self.system.service_of_worker(beat.worker_type)
        known = self.system.find(service) if service is not None else None
        if known is None or known.commit is not CommitSource.LOG_BANNER or beat.worker_id in self._commits:
            return False
        return beat.git_sha is None and beat.is_beating(now, self.settings.stale_after)

    async def _read_banners(self, service: Service) -> None:
        """Read the active deployment's banners. The two lines are queried apart: work may be logged between them."""
        state = find_state(await self.railway_services(), service)
        if state is None or isinstance(state, Unavailable) or state.current is None:
            return
        reads = [
            self.ask_railway(RailwayClient.read_logs, state.current.id, limit=BANNERS, filter=f'"{words}"')
            for words in BANNER_WORDS
        ]
        found = await asyncio.gather(*reads)
        lines = [line for read in found if not isinstance(read, Unavailable) for line in read]
        self._commits |= banner_commits(lines)

    async def api_health(self) -> ApiHealth | Unavailable:
        health = await self.ask_api(DragonflyApi.read_health)
        self._note_api(health)
        return health

    async def server(self) -> ServerFacts | Unavailable:
        """Read the server's facts, and check that it accepts writes, which a read alone does not show."""
        facts = await self.read(operated.read_server)
        if isinstance(facts, Unavailable) or self.writes is None:
            return facts
        problem = await self._sources.ask("database", self.writes.problem())
        return replace(facts, refuses_writes=problem.why if problem else None)

    async def queue(self) -> QueueSnapshot | Unavailable:
        return await self.read(operated.read_queue_snapshot, stale_after=self.settings.stale_after)

    async def migrations(self) -> MigrationStatus | Unavailable:
        return await self.read(migrations.read_migrations, directory=self.settings.changing.migrations)

    async def connections(self) -> ConnectionUse | Unavailable:
        """The database's sessions and their limit; the pooler's limit if that is set and lower."""
        use = await self.read(operated.read_connection_use)
        allowed = self.settings.changing.connection_limit
        if isinstance(use, Unavailable) or allowed is None:
            return use
        return ConnectionUse(use.used, min(allowed, use.limit))

    async def locks(self) -> dict[Service, Lock] | Unavailable:
        """The locks against deploys, by service."""
        listed = await self.read(list_locks)
        if isinstance(listed, Unavailable):
            return listed
        return {lock.service: replace(lock, owner_name=self.name_of(lock.owner)) for lock in listed}

    async def freezes(self) -> list[Freeze] | Unavailable:
        """All current and future freezes, and locks set by people; `in_force` selects those of a moment."""
        listed = await self.read(list_freezes)
        if isinstance(listed, Unavailable):
            return listed
        return [replace(one, owner_name=self.name_of(one.owner)) for one in listed]

    async def overrides(self) -> KnownOverrides:
        """The on-call overrides, as last read if the database is away. Imported here: few commands need them."""
        from services.clients.postgres.oncall import list_overrides

        return self._overrides.recall(await self.read(list_overrides))

    async def railway_services(self) -> dict[Service, ServiceState] | Unavailable:
        """Railway's services, and for a stopped service whether a run of the bot stopped it."""
        services = await self.ask_railway(RailwayClient.read_services, self.known_services)
        if not isinstance(services, Unavailable):
            services.pop(Service(self.settings.own_service or ""), None)
        if not isinstance(services, Unavailable):
            self._last_services = services, time.monotonic()
        if isinstance(services, Unavailable) or not any(state.needs_journal for state in services.values()):
            return services
        acts = await self._recall_acts()
        known = {service: with_journal(state, acts) for service, state in services.items()}
        beats = await self._recent_heartbeats() if any(state.is_stopped for state in known.values()) else ()
        return {service: with_heartbeats(state, beats) for service, state in known.items()}

    def last_railway_services(self) -> KnownServices | None:
        """The last answer of `railway_services`, of any age; None before the first."""
        if self._last_services is None:
            return None
        services, at = self._last_services
        return KnownServices(services, timedelta(seconds=time.monotonic() - at))

    async def channel_problem(self) -> str | None:
        """Why the incidents channel accepts no messages, as the bot saw it, or (on the terminal) as Slack answers now.

        None if it accepts them, or if that is unknown.
        """
        if self.bot_state is not None:
            return self.bot_state().channel_problem
        slack = self.settings.slack
        if isinstance(slack, Invalid):
            return None
        asked = read_channel_problem(
            slack.bot_token, slack.incidents_channel, api_url=slack.api_url, timeout_s=self.settings.source_timeout_s
        )
        found = await self.ask(SLACK, asked)
        return None if isinstance(found, Unavailable) else found

    async def service_acts(self) -> list[ServiceAct] | Unavailable:
        """The recent acts of the bot's runs on each service's deployments, newest first."""
        return await self.read(service_acts.list_service_acts, services=self.system.services, limit=ACTS)

    def expected_replicas(self, services: dict[Service, ServiceState] | Unavailable) -> KnownReplicas:
        """The expected number of workers, by this answer of `railway_services` or an earlier one if it lacks them."""
        return self._replicas.recall(services, self.system)

    async def variables(self, service: Service) -> dict[str, Secret] | Unavailable:
        """Read a service's variables. Secrets among them are remembered, so that no output shows them from then on."""
        read = await self.ask_railway(RailwayClient.read_variables, service)
        if not isinstance(read, Unavailable):
            remember_secrets(
                f"variables of {service.short}", (one for name, one in read.items() if _is_secret(name, one))
            )
        return read

    async def read(
        self, query: Callable[Concatenate[Connection, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T | Unavailable:
        """Run a query, or a function that makes several, in one read-only transaction: `read(list_runs, limit=10)`.

        Unavailable if row-level security may hide rows on which the answer depends (`counts_all_rows`).
        """
        if self.database is None:
            return Unavailable("database", why_missing(self.settings.database))
        return await self.ask("database", self._read(self.database, query, *args, **kwargs))

    async def ask_railway(
        self, call: Callable[Concatenate[RailwayClient, P], Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T | Unavailable:
        """Call a method of the client: `ask_railway(RailwayClient.list_deployments, service)`."""
        if self.railway is None:
            return Unavailable("Railway", why_missing(self.settings.railway))
        return await self.ask("Railway", call(self.railway, *args, **kwargs))

    async def database_usage(self) -> Usage | Unavailable:
        """Read Supabase's metrics of the database's machine."""
        if self.supabase is None:
            return Unavailable("Supabase", "SUPABASE_METRICS_KEY is not set")
        return await self.ask("Supabase", self.supabase.read_usage())

    async def ask_api(
        self, call: Callable[Concatenate[DragonflyApi, P], Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T | Unavailable:
        """Call a method of the client: `ask_api(DragonflyApi.read_batch, batch_id)`."""
        if self.api is None:
            return Unavailable("API", why_missing(self.settings.api))
        self.api.system = (await self.recognized()).name
        return await self.ask("API", call(self.api, *args, **kwargs))

    async def ask(self, source: str, call: Coroutine[Any, Any, T]) -> T | Unavailable:
        """Await any other call within the time limit: its value, or the reason why there is none."""
        return await self._sources.ask(source, call)

    async def _recall_acts(self) -> Sequence[ServiceAct]:
        """Read the recent acts; the last read ones if the database does not answer within 1 s."""
        if self.database is not None:
            try:
                async with asyncio.timeout(JOURNAL_PATIENCE_S):
                    acts = await self.service_acts()
            except TimeoutError:
                return self._acts
            self._acts = self._acts if isinstance(acts, Unavailable) else acts
        return self._acts

    async def _recent_heartbeats(self) -> Sequence[Heartbeat]:
        """Read the heartbeats; empty if the database does not answer within 1 s."""
        try:
            async with asyncio.timeout(JOURNAL_PATIENCE_S):
                beats = await self.read(operated.list_heartbeats)
        except TimeoutError:
            return ()
        return () if isinstance(beats, Unavailable) else beats

    def _note_api(self, health: ApiHealth | Unavailable) -> None:
        if isinstance(health, ApiHealth) and health.is_ok:
            known, now = self._api_answers, datetime.now(UTC)
            first = AnsweredWell(health.git_sha, now, now)
            self._api_answers = known.go_on(health.git_sha, now, is_new=not self._is_api_well) if known else first
            self._is_api_well = True
        elif self._is_api_well:
            self.api_answered, self._is_api_well = self._api_answers, False

    async def _read(
        self,
        database: Database,
        query: Callable[Concatenate[Connection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        with reading_facts():
            async with database.read(timeout_s=self.settings.source_timeout_s) as conn:
                tables = tables_counted_by(query, system_of(conn))
                hidden = await operated.list_hidden_tables(conn, tables=tables) if tables else ()
                if hidden:
                    raise SourceError("database", f"row-level security hides rows of {', '.join(hidden)} from our role")
                return await query(conn, *args, **kwargs)


def _is_secret(name: str, value: Secret) -> bool:
    """True if the variable's name says so, or if the value is an address with a password."""
    return is_secret_name(name) or "@" in value.reveal().partition("://")[2]
