"""The values that the alert rules read: the newest answer of each source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from playbooks.checks import oncall
from playbooks.checks.outcomes import Usual
from playbooks.checks.triage import Earlier
from services.domain.alerts import Drill
from services.domain.database import ConnectionUse, Exposure, MigrationStatus, ServerFacts
from services.domain.deployments import Deployment, ServiceAct, ServiceState
from services.domain.errors import Unavailable
from services.domain.freezes import Lock
from services.domain.health import AnsweredWell, ApiHealth, BotState, IntakeHealth
from services.domain.jobs import Heartbeat, LockWait, QueueSnapshot
from services.domain.services import Service, WorkerType
from services.domain.systems import System
from services.domain.thresholds import StaleLimits
from services.domain.usage import ServiceUsage, Usage


@dataclass(frozen=True)
class Work:
    """Facts about jobs and services from the database, read every 20 s."""

    queue: QueueSnapshot | Unavailable
    exhausted: int | Unavailable
    lock_waits: Sequence[LockWait] | Unavailable
    locks: Sequence[Lock] | Unavailable
    acts: Sequence[ServiceAct] | Unavailable = ()
    unclaimed: Mapping[str, datetime] | Unavailable = field(default_factory=dict)


@dataclass(frozen=True)
class SlowReads:
    """Facts that change seldom, read every 5 min."""

    server: ServerFacts | Unavailable
    migrations: MigrationStatus | Unavailable
    exposures: Sequence[Exposure] | Unavailable
    outcomes: Usual | Unavailable
    connections: ConnectionUse | Unavailable | None = None
    database_gb: float | Unavailable | None = None


@dataclass(frozen=True)
class Snapshot:
    """Facts for one evaluation. `now`: the database's clock. None: not read yet, or not configured; rules without a
    fact give no result.

    expected: how many workers should run, as Railway reported `expected_age` ago. earlier: the heartbeats of the
    previous evaluation. back_at: when the database answered again after a while without it. made: the deployments of
    the last 2 h, as far as Railway showed them. auto_deploy: per service, True if a push to main deploys it. bot: this
    process's own state. drills: those under way and those just over. oncall: who is on call, None without an on-call
    file. usage: Railway's metrics per service. database_usage: Supabase's metrics of the database's machine. freed_gb:
    the highest memory that an instance came down from by itself. answered: the API's good answers before it stopped
    answering well.
    """

    now: datetime
    stale_after: StaleLimits
    environment: str | None
    heartbeats: Sequence[Heartbeat]
    expected: Mapping[WorkerType, int | Unavailable]
    expected_age: timedelta = timedelta()
    all_visible: bool = True
    earlier: Earlier | None = None
    back_at: datetime | None = None
    api: ApiHealth | Unavailable | None = None
    intake: IntakeHealth | Unavailable | None = None
    services: Mapping[Service, ServiceState] | Unavailable | None = None
    made: Mapping[Service, Sequence[Deployment]] = field(default_factory=dict)
    work: Work | None = None
    slow_reads: SlowReads | None = None
    auto_deploy: Mapping[Service, bool | Unavailable] | None = None
    bot: BotState | None = None
    drills: Sequence[Drill] = ()
    oncall: oncall.Facts | None = None
    usage: Mapping[Service, ServiceUsage] | Unavailable | None = None
    database_usage: Usage | Unavailable | None = None
    freed_gb: Mapping[Service, float] = field(default_factory=dict)
    answered: AnsweredWell | None = None
    system: System = field(kw_only=True)
