"""The systems that the bot can operate, one value each, and how to recognize the one in a database.

The differences between systems are here: services, words, tables, roles. How to add one: docs/systems.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from services.domain.database import Defaults
from services.domain.services import Service, WorkerType

JOB_TYPE = "simplicity_ingest"  # the runbook's name for the job that ingests one batch
ENFORCEMENT_JOB_TYPE = "enforcement_next_step"  # one job per batch: finds the next step for each of its judgments
MEMO_JOB_TYPE = "enforcement_memos"  # asks a language model about the cases of one batch
REVIEW_JOB_TYPE = "enforcement_review"  # repeats the assessments that are due, whatever their batch


class CommitSource(StrEnum):
    """The place where a process shows the commit that it runs."""

    HEALTH = "the API's health answer"
    HEARTBEAT = "the worker's heartbeat"
    LOG_BANNER = "the banner in the log of the serving deployment"


class GoldenPathKind(StrEnum):
    """The scope of a golden path. FULL: each worker does its part, and every row is removed again.

    UPLOAD: the rows stay, and no worker is exercised.
    """

    FULL = "full"
    UPLOAD = "upload"


@dataclass(frozen=True)
class OperatedService:
    """One service of a system. `job_types`: the types that its workers claim. `start_commands`: any of them is right,
    the first is its own repository's.

    `optional_variables`: checked only if they are set. `roles`: the roles that its database sessions may have.
    `sessions`: the size of one replica's pool; None if the system does not report it. `railway_name`: "" if it is the
    service's own name.
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
    """The statuses of a heartbeat. `ended`: the process ended, it isn't missing. `warning`: it runs with a problem."""

    warning: frozenset[str]
    ended: frozenset[str]


@dataclass(frozen=True)
class System:
    """One system that can be operated. `name`: queries in `sql/operated/` use it too. `operated`: the API first.

    `columns`: the system is recognized by these columns (schema.table.column); all of them must exist. `schemas`: what
    the bot reads besides its own. `roles`: those that its processes connect with. `open_batches`: the statuses of an
    uploaded batch that waits or is being processed. `log_patterns`: the name of its patterns
    (`playbooks.log_patterns`).
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
        """True if our own migrations make its tables; any other system existed before and belongs to others."""
        return self.name == "runbook"

    @property
    def services(self) -> tuple[Service, ...]:
        """The system's services, the API first."""
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
        """The worker that takes uploaded files; None if the API does it itself."""
        return self.service_of_job(JOB_TYPE) if self.golden_path is GoldenPathKind.FULL else None

    @property
    def job_types(self) -> tuple[str, ...]:
        """The job types that some worker claims. A pending job of another type waits forever."""
        return tuple(job_type for one in self.operated for job_type in one.job_types)

    def find(self, service: Service) -> OperatedService | None:
        """The declaration of the service; None if the system has no service of that name."""
        return next((one for one in self.operated if one.service == service), None)

    def find_service(self, name: str) -> Service | None:
        """The service with this full, short or Railway name, in any case; None if there is none."""
        wanted = name.strip().lower()
        named = ((one.service, one.name_in_railway.lower()) for one in self.operated)
        return next((one for one, railways in named if wanted in (one.value, one.short, railways)), None)

    def find_services(self, name: str) -> tuple[Service, ...] | None:
        """The services that a service's name, `workers` or `all` stands for, workers first; None if there are none."""
        if name.strip().lower() in ("workers", "all"):
            return self.workers if name.strip().lower() == "workers" else (*self.workers, self.api)
        service = self.find_service(name)
        return None if service is None else (service,)

    def service_of_job(self, job_type: str) -> Service | None:
        """The service whose workers claim this type; None if there is none."""
        return next((one.service for one in self.operated if job_type in one.job_types), None)

    def service_of_worker(self, worker_type: str) -> Service | None:
        """The service that runs workers of this type; None for an unknown type."""
        return next((service for service in self.workers if service.worker_type == worker_type), None)

    def renamed(self, railway_names: Mapping[str, str]) -> System:
        """The same system with other names in Railway. `railway_names`: `{short name: name in Railway}`."""
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
    """The system of this name; None if there is none."""
    return next((system for system in SYSTEMS if system.name == name.strip().lower()), None)


def system_with(services: Collection[Service]) -> System | None:
    """The system whose services are all among these, of several the one with the most; None if there is none."""
    fitting = (system for system in SYSTEMS if set(system.services) <= set(services))
    return max(fitting, key=lambda system: len(system.services), default=None)


_SHOWN = 5  # missing columns at most


@dataclass(frozen=True)
class Recognition:
    """The system that a database holds. `system`: None if it is unknown. `adopted`: the system for which the bot was
    installed there; None if it was not installed, or our role may not read that.

    `nearest`: `system`, or the closest match, whose columns `missing` don't exist.
    """

    system: System | None
    adopted: str | None
    nearest: System
    missing: tuple[str, ...] = ()

    @property
    def problem(self) -> str | None:
        """Why nothing may be changed there; None if the system is the one for which the bot was installed."""
        if self.system is None:
            shown = ", ".join(self.missing[:_SHOWN])
            more = f" and {len(self.missing) - _SHOWN} more" if len(self.missing) > _SHOWN else ""
            return f"the database holds an unknown system: {self.nearest.name} would have {shown}{more}"
        if self.adopted not in (None, self.system.name):
            return f"the database holds the system {self.system.name}, and the bot was installed for {self.adopted}"
        return None


def recognize(columns: Collection[str], *, adopted: str | None = None) -> Recognition:
    """The system whose columns all exist; the adopted one if there are several."""
    fitting = [system for system in SYSTEMS if system.columns <= set(columns)]
    if fitting:
        system = next((one for one in fitting if one.name == adopted), fitting[0])
        return Recognition(system, adopted, system)
    nearest = min(SYSTEMS, key=lambda system: _missing_share(system, columns, adopted))
    return Recognition(None, adopted, nearest, tuple(sorted(nearest.columns - set(columns))))


def _missing_share(system: System, columns: Collection[str], adopted: str | None) -> tuple[bool, float]:
    return system.name != adopted, len(system.columns - set(columns)) / len(system.columns)
