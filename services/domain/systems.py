"""The systems that the bot can operate, one value each, and how a database shows which of them it holds.

What differs between systems is here: services, words, tables, roles. How one is added: docs/systems.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from services.domain.database import Defaults
from services.domain.services import Service, WorkerType

JOB_TYPE = "simplicity_ingest"  # the runbook's name for the job that ingests one batch
ENFORCEMENT_JOB_TYPE = "enforcement_next_step"  # one job a batch: what to do next about each of its judgments
MEMO_JOB_TYPE = "enforcement_memos"  # asks a language model about the cases of one batch
REVIEW_JOB_TYPE = "enforcement_review"  # makes assessments again that are due, whatever their batch


class CommitSource(StrEnum):
    """Where a process shows which commit it runs."""

    HEALTH = "the API's health answer"
    HEARTBEAT = "the worker's heartbeat"
    LOG_BANNER = "the banner in the log of the serving deployment"


class GoldenPathKind(StrEnum):
    """What a made-up upload proves. FULL: each worker does its part, and every row is removed again.

    UPLOAD: the rows stay, and no worker is exercised.
    """

    FULL = "full"
    UPLOAD = "upload"


@dataclass(frozen=True)
class OperatedService:
    """`job_types`: what its workers claim. `start_commands`: any of them is right, the first is its own repository's.

    `optional_variables`: judged where they are set. `roles`: which its database sessions may have.
    `sessions`: what one replica's pool is made of; None: the system does not report it.
    `railway_name`: "" where it is the service's own.
    """

    service: Service
    start_commands: tuple[str, ...]
    required_variables: tuple[str, ...]
    roles: tuple[str, ...]
    commit: CommitSource
    job_types: tuple[str, ...] = ()
    optional_variables: tuple[str, ...] = ()
    sessions: Defaults | None = None
    railway_name: str = ""

    @property
    def name_in_railway(self) -> str:
        return self.railway_name or self.service.value


@dataclass(frozen=True)
class HeartbeatWords:
    """The statuses of a heartbeat. `ended`: the process is gone and not missed. `warning`: it runs, not well."""

    warning: frozenset[str]
    ended: frozenset[str]


@dataclass(frozen=True)
class System:
    """`name`: also by which a query in `sql/operated/` names it. `operated`: the API first.

    `columns`: those by which it is recognized, as schema.table.column; all of them must be there.
    `schemas`: what the bot reads besides its own. `roles`: those that its processes connect with.
    `open_batches`: the statuses of an upload's batch that waits or is in work.
    `log_patterns`: the name of its patterns (`playbooks.log_patterns`).
    """

    name: str
    operated: tuple[OperatedService, ...]
    columns: frozenset[str]
    schemas: tuple[str, ...]
    roles: tuple[str, ...]
    heartbeats: HeartbeatWords
    open_batches: frozenset[str]
    log_patterns: str
    golden_path: GoldenPathKind

    @property
    def is_migrated(self) -> bool:
        """Whether our own migrations make its tables. Another system stands already, and belongs to others."""
        return self.name == "runbook"

    @property
    def services(self) -> tuple[Service, ...]:
        """The API first."""
        return tuple(one.service for one in self.operated)

    @property
    def workers(self) -> tuple[Service, ...]:
        return tuple(service for service in self.services if service.worker_type is not None)

    @property
    def worker_types(self) -> tuple[WorkerType, ...]:
        return tuple(kind for service in self.services if (kind := service.worker_type) is not None)

    @property
    def api(self) -> Service:
        return next(service for service in self.services if service.is_api)

    @property
    def uploader(self) -> Service | None:
        """The worker that takes uploaded files; None where the API does it itself."""
        return self.service_of_job(JOB_TYPE) if self.golden_path is GoldenPathKind.FULL else None

    @property
    def job_types(self) -> tuple[str, ...]:
        """What some worker claims. A pending job of another type waits forever."""
        return tuple(job_type for one in self.operated for job_type in one.job_types)

    def find(self, service: Service) -> OperatedService | None:
        """What is known of the service; None when the system has none of that name."""
        return next((one for one in self.operated if one.service == service), None)

    def find_service(self, name: str) -> Service | None:
        """The service meant by a full or a short name, or Railway's, whatever its case; None when there is none."""
        wanted = name.strip().lower()
        named = ((one.service, one.name_in_railway.lower()) for one in self.operated)
        return next((one for one, railways in named if wanted in (one.value, one.short, railways)), None)

    def find_services(self, name: str) -> tuple[Service, ...] | None:
        """The services meant by a name, by `workers` or by `all`, workers first; None when there are none."""
        if name.strip().lower() in ("workers", "all"):
            return self.workers if name.strip().lower() == "workers" else (*self.workers, self.api)
        service = self.find_service(name)
        return None if service is None else (service,)

    def service_of_job(self, job_type: str) -> Service | None:
        """The service whose workers claim this type; None when none does."""
        return next((one.service for one in self.operated if job_type in one.job_types), None)

    def service_of_worker(self, worker_type: str) -> Service | None:
        """The service that runs workers of this type; None for an unknown type."""
        return next((service for service in self.workers if service.worker_type == worker_type), None)

    def renamed(self, railway_names: Mapping[str, str]) -> System:
        """The same with other names in Railway. `railway_names`: `{short name: name in Railway}`."""
        operated = tuple(
            replace(one, railway_name=railway_names.get(one.service.short, one.railway_name)) for one in self.operated
        )
        return replace(self, operated=operated)


_COMMON = ("SUPABASE_MODE", "ENVIRONMENT", "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_DB_URL")
_API_VARIABLES = (*_COMMON, "DRAGONFLY_API_KEY")
_ENFORCEMENT_VARIABLES = (*_COMMON, "OPENAI_API_KEY")
_OPENAI = ("OPENAI_BASE_URL", "OPENAI_MODEL")
_APP = ("dragonfly_app",)

RUNBOOK = System(
    name="runbook",
    operated=(
        OperatedService(
            Service.API,
            start_commands=("python -m services.api", "python -m tools.run_uvicorn"),
            required_variables=_API_VARIABLES,
            optional_variables=("PORT",),  # Railway sets it when the process starts, so it may be absent
            roles=_APP,
            commit=CommitSource.HEALTH,
            sessions=Defaults(pool_size=5, beside=1),
        ),
        OperatedService(
            Service.INGEST,
            start_commands=("python -m services.ingest_worker", "python -m backend.workers.ingest_processor"),
            required_variables=_COMMON,
            roles=_APP,
            commit=CommitSource.HEARTBEAT,
            job_types=(JOB_TYPE,),
            sessions=Defaults(pool_size=2, beside=2, concurrency=1),
        ),
        OperatedService(
            Service.ENFORCEMENT,
            start_commands=("python -m services.enforcement_worker", "python -m backend.workers.enforcement_engine"),
            required_variables=_ENFORCEMENT_VARIABLES,
            optional_variables=_OPENAI,
            roles=_APP,
            commit=CommitSource.HEARTBEAT,
            job_types=(ENFORCEMENT_JOB_TYPE, REVIEW_JOB_TYPE, MEMO_JOB_TYPE),
            sessions=Defaults(pool_size=2, beside=2, concurrency=2),
        ),
    ),
    columns=frozenset(
        {
            "ops.worker_heartbeats.last_heartbeat_at",
            "ops.job_queue.error_message",
            "ops.job_queue.locked_by",
            "intake.simplicity_batches.source_system",
        }
    ),
    schemas=("enforcement", "intake", "ops", "public"),
    roles=_APP,
    heartbeats=HeartbeatWords(
        warning=frozenset({"error"}),
        ended=frozenset({"stopped"}),
    ),
    open_batches=frozenset({"pending", "processing"}),
    log_patterns="runbook",
    golden_path=GoldenPathKind.FULL,
)

_CIVIL_ROLES = ("dragonfly_app", "dragonfly_worker")
CIVIL = System(
    name="civil",
    operated=(
        OperatedService(
            Service.API,
            start_commands=(
                "uvicorn backend.main:app --host 0.0.0.0 --port $PORT",
                "python -m tools.run_uvicorn",
            ),
            required_variables=_API_VARIABLES,
            optional_variables=("PORT",),
            roles=_CIVIL_ROLES,
            commit=CommitSource.HEALTH,
        ),
        OperatedService(
            Service.INGEST,
            start_commands=("python -m backend.workers.ingest_processor",),
            required_variables=_COMMON,
            roles=_CIVIL_ROLES,
            commit=CommitSource.LOG_BANNER,
            job_types=("ingest_csv",),
        ),
        OperatedService(
            Service.ENFORCEMENT,
            start_commands=("python -m backend.workers.enforcement_engine",),
            required_variables=_ENFORCEMENT_VARIABLES,
            optional_variables=_OPENAI,
            roles=_CIVIL_ROLES,
            commit=CommitSource.LOG_BANNER,
            job_types=("enforcement_strategy", "enforcement_drafting", "enforcement_generate_packet"),
        ),
        OperatedService(
            Service.SIMPLICITY,
            start_commands=("python -m backend.workers.simplicity_ingest_worker",),
            required_variables=_COMMON,
            roles=_CIVIL_ROLES,
            commit=CommitSource.LOG_BANNER,
            job_types=("simplicity_ingest",),
        ),
    ),
    columns=frozenset(
        {
            "ops.worker_heartbeats.last_seen_at",
            "ops.job_queue.last_error",
            "ops.job_queue.worker_id",
            "ops.ingest_batches.row_count_raw",
            "intake.simplicity_batches.row_count_total",
        }
    ),
    schemas=("ops",),
    roles=_CIVIL_ROLES,
    heartbeats=HeartbeatWords(
        warning=frozenset({"degraded"}),
        ended=frozenset({"stopped", "error"}),
    ),
    open_batches=frozenset({"pending", "processing"}),
    log_patterns="civil",
    golden_path=GoldenPathKind.UPLOAD,
)

SYSTEMS = (RUNBOOK, CIVIL)
TABLES = frozenset(column.rpartition(".")[0] for system in SYSTEMS for column in system.columns)


def find_system(name: str) -> System | None:
    """The system of this name; None when there is none."""
    return next((system for system in SYSTEMS if system.name == name.strip().lower()), None)


def system_with(services: Collection[Service]) -> System | None:
    """The system that has the most services of those whose services are all among these; None when there is none."""
    fitting = (system for system in SYSTEMS if set(system.services) <= set(services))
    return max(fitting, key=lambda system: len(system.services), default=None)


_SHOWN = 5  # missing columns


@dataclass(frozen=True)
class Recognition:
    """What a database shows. `system`: the one that stands there, None for an unknown one. `adopted`: the name under
    which the bot was installed there, None where it was not or our role may not see it.

    `nearest` is always one: `system`, or the one that comes nearest, of which the columns `missing` are not there.
    """

    system: System | None
    adopted: str | None
    nearest: System
    missing: tuple[str, ...] = ()

    @property
    def problem(self) -> str | None:
        """Why nothing may be changed there; None when the system is the one for which the bot was installed."""
        if self.system is None:
            shown = ", ".join(self.missing[:_SHOWN])
            more = f" and {len(self.missing) - _SHOWN} more" if len(self.missing) > _SHOWN else ""
            return f"the database holds an unknown system: {self.nearest.name} would have {shown}{more}"
        if self.adopted not in (None, self.system.name):
            return f"the database holds the system {self.system.name}, and the bot was installed for {self.adopted}"
        return None


def recognize(columns: Collection[str], *, adopted: str | None = None) -> Recognition:
    """The system whose columns are all there; the adopted one where there are several."""
    fitting = [system for system in SYSTEMS if system.columns <= set(columns)]
    if fitting:
        system = next((one for one in fitting if one.name == adopted), fitting[0])
        return Recognition(system, adopted, system)
    nearest = min(SYSTEMS, key=lambda system: _missing_share(system, columns, adopted))
    return Recognition(None, adopted, nearest, tuple(sorted(nearest.columns - set(columns))))


def _missing_share(system: System, columns: Collection[str], adopted: str | None) -> tuple[bool, float]:
    return system.name != adopted, len(system.columns - set(columns)) / len(system.columns)
