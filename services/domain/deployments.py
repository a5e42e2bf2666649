"""Railway's deployments and instances, in Railway's own terms; external deployments; git checkouts."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat
from services.domain.people import Person
from services.domain.services import Service, short_sha
from services.domain.systems import System

_RELEASE = re.compile(r"v\d+\.\d+\.\d+\Z")  # the runbook's v1.x.x


@dataclass(frozen=True)
class Tag:
    """A tag on the checked out commit. `annotated`: made with `git tag -a`, so it records who released and when."""

    name: str
    annotated: bool

    @property
    def is_release(self) -> bool:
        return _RELEASE.match(self.name) is not None


@dataclass(frozen=True)
class Checkout:
    """A git checkout. `uncommitted`: how many files differ from the commit or are new to git. `tags`: the commit's."""

    head: str
    uncommitted: int
    tags: tuple[Tag, ...]

    @property
    def release(self) -> Tag | None:
        """The release tag of this commit; None if it has none."""
        return next((tag for tag in self.tags if tag.is_release), None)


SHORT_ID = 8  # characters; Railway's ids are UUIDs


class DeploymentStatus(StrEnum):
    """Railway's `DeploymentStatus`; UNKNOWN stands for a value that the schema gains later."""

    BUILDING = "BUILDING"
    CRASHED = "CRASHED"
    DEPLOYING = "DEPLOYING"
    FAILED = "FAILED"
    INITIALIZING = "INITIALIZING"
    NEEDS_APPROVAL = "NEEDS_APPROVAL"
    QUEUED = "QUEUED"
    REMOVED = "REMOVED"
    REMOVING = "REMOVING"
    SKIPPED = "SKIPPED"
    SLEEPING = "SLEEPING"
    SUCCESS = "SUCCESS"
    WAITING = "WAITING"
    UNKNOWN = "UNKNOWN"

    @property
    def is_in_progress(self) -> bool:
        """True while Railway is working towards an end state. NEEDS_APPROVAL is not: a person has to act first."""
        return self in _IN_PROGRESS

    @property
    def has_taken_over(self) -> bool:
        """True if it replaced the deployment before it, or tried to; False if it waits, is built, or was skipped."""
        return not self.is_in_progress and self not in (DeploymentStatus.NEEDS_APPROVAL, DeploymentStatus.SKIPPED)

    @property
    def is_failed(self) -> bool:
        """True if it never ran, or ran and crashed."""
        return self in (DeploymentStatus.FAILED, DeploymentStatus.CRASHED)


_SERVES = (DeploymentStatus.SUCCESS, DeploymentStatus.SLEEPING)
_IN_PROGRESS = frozenset(
    {
        DeploymentStatus.BUILDING,
        DeploymentStatus.DEPLOYING,
        DeploymentStatus.INITIALIZING,
        DeploymentStatus.QUEUED,
        DeploymentStatus.WAITING,
    }
)


# Railway's `DeploymentInstanceStatus`; a test compares these with Railway's schema.
INSTANCE_STATUSES = frozenset(
    (
        *("CRASHED", "CREATED", "EXITED", "INITIALIZING", "REMOVED"),
        *("REMOVING", "RESTARTING", "RUNNING", "SKIPPED", "STOPPED"),
    )
)


@dataclass(frozen=True)
class Instance:
    """One replica of a deployment. `status` is Railway's `DeploymentInstanceStatus` ("RUNNING", "CRASHED", …)."""

    id: str
    status: str

    @property
    def is_running(self) -> bool:
        return self.status == "RUNNING"


@dataclass(frozen=True)
class Deployment:
    """One deployment. Commit fields are None when Railway's untyped `meta` does not have them, as for an image or a
    `railway up`; `image` is the image's name. Times are UTC."""

    id: str
    status: DeploymentStatus
    created_at: datetime
    status_updated_at: datetime | None = None
    can_rollback: bool = False
    can_redeploy: bool = False
    stopped: bool = False
    commit_sha: str | None = None
    commit_message: str | None = None
    author: str | None = None
    instances: tuple[Instance, ...] = ()
    link: str | None = None
    image: str | None = None

    @property
    def name(self) -> str:
        """ "8d02b64e" by its commit; "deployment 3f2a9c1e" without one."""
        return short_sha(self.commit_sha) if self.commit_sha else f"deployment {self.short_id}"

    @property
    def short_id(self) -> str:
        """The first 8 characters of the id, which commands accept for it."""
        return self.id[:SHORT_ID]

    @property
    def subject(self) -> str:
        """The first line of the commit message, else the image; "" if Railway reports neither."""
        return (self.commit_message or "").strip().partition("\n")[0] or self.image or ""

    @property
    def running_instances(self) -> int:
        return sum(instance.is_running for instance in self.instances)

    @property
    def ended_by_itself(self) -> bool:
        """True if every process exited with code 0 without a stop request. Railway may also report it as stopped, and
        remove some of the instances."""
        return {"EXITED"} <= {one.status for one in self.instances} <= {"EXITED", "REMOVED"}

    @property
    def was_stopped(self) -> bool:
        """True if it was stopped in Railway. False if an instance has a status that this version does not know, because
        that may be another word for an exit of its own."""
        if not self.stopped or self.status.is_failed or self.ended_by_itself:
            return False
        return all(one.status in INSTANCE_STATUSES for one in self.instances)


_CLOCKS_DIFFER = timedelta(minutes=1)  # between a worker and the database, at most
_STOP_SETTLES = timedelta(minutes=5)  # after its draining time, until Railway shows how its processes ended


@dataclass(frozen=True)
class ServiceState:
    """Railway's report of one service: its active deployments, its latest one, and its configured replicas.

    `latest` may be a failed deployment that never served. `regions` is `{region: configured replicas}`.
    `replicas_configured` is None if Railway did not report it. `start_command` is None if Railway uses its default.
    `stopped_at`: when a run of ours stopped it, by the journal; None if no run did, or it was started again since.
    `unknown`: why Railway did not report this service; nothing else is known of it then.
    """

    service: Service
    service_id: str
    active: tuple[Deployment, ...] = ()
    latest: Deployment | None = None
    regions: Mapping[str, int] = field(default_factory=dict)
    replicas_configured: int | None = None
    start_command: str | None = None
    draining_seconds: int | None = None
    healthcheck_path: str | None = None
    link: str | None = None
    stopped_at: datetime | None = None
    unknown: str | None = None

    @property
    def serving(self) -> Deployment | None:
        """The newest active deployment that has not been stopped (a sleeping one counts); None if none serves."""
        candidates = [d for d in self.active if not d.stopped and d.status in _SERVES]
        return max(candidates, key=lambda d: d.created_at, default=None)

    @property
    def current(self) -> Deployment | None:
        """The deployment that a change starts from: the one that serves, else the newest active one (it may be
        stopped), else the latest (it may have crashed). None if the service was never deployed."""
        return self.serving or max(self.active, key=lambda d: d.created_at, default=None) or self.latest

    @property
    def is_stopped(self) -> bool:
        """True if a run of ours or a person in Railway stopped it: that is how a service gets to zero replicas.

        Railway drops a stopped deployment from the active ones after some minutes; the journal and the deployment's own
        mark then still show the stop. A process that exited by itself was not stopped.
        """
        if self.serving is not None:
            return False
        return self._was_stopped_by_run or self._was_stopped_in_railway

    @property
    def needs_journal(self) -> bool:
        """True if only the journal of our runs can show that it was stopped on purpose."""
        return self.serving is None and self.unknown is None and not self._was_stopped_in_railway

    @property
    def _was_stopped_by_run(self) -> bool:
        if self.stopped_at is None or self.unknown is not None:
            return False
        latest = self.latest
        if latest is None or not latest.status.has_taken_over:
            return True
        return latest.created_at <= self.stopped_at and not self._crashed_after(latest, self.stopped_at)

    def _crashed_after(self, latest: Deployment, stopped_at: datetime) -> bool:
        """True if it crashed too late for the stop to explain: a person restarted it in Railway, and it ran."""
        settled_at = stopped_at + _STOP_SETTLES + timedelta(seconds=self.draining_seconds or 0)
        crashed_at = latest.status_updated_at if latest.status.is_failed else None
        return crashed_at is not None and crashed_at > settled_at

    @property
    def _was_stopped_in_railway(self) -> bool:
        last = self.active or ((self.latest,) if self.latest else ())
        return bool(last) and all(deployment.was_stopped for deployment in last)

    @property
    def replicas_wanted(self) -> int | None:
        """The number of replicas that should run: 0 for a stopped service, whatever is configured. None if unknown."""
        if self.unknown is not None:
            return None
        return 0 if self.is_stopped else self.replicas_configured


def list_others(services: Collection[Service], system: System) -> tuple[str, ...]:
    """The names of the services that are in the Railway environment and don't belong to the system."""
    return tuple(sorted(service.value for service in services if service not in system.services))


def find_state(
    services: Mapping[Service, ServiceState] | Unavailable, service: Service
) -> ServiceState | Unavailable | None:
    """Railway's report of one service; None if Railway has no service of this name."""
    if isinstance(services, Unavailable):
        return services
    state = services.get(service)
    return Unavailable("Railway", state.unknown) if state is not None and state.unknown is not None else state


@dataclass(frozen=True)
class VariableChange:
    """Variables of a service that were set or removed together: their names, never their values."""

    changed_at: datetime
    names: tuple[str, ...]


@dataclass(frozen=True)
class ReplicaChange:
    """A change of a service's configured replicas: `before` at `not_before`, the last moment with that number, and
    `after` at `not_after`, the first moment with the new one. The change happened between the two."""

    service: Service
    before: int
    after: int
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True)
class LogLine:
    """One line of a deployment's log, unchanged: untrusted text. `severity` is Railway's ("info", "error", …)."""

    timestamp: datetime
    severity: str
    message: str
    replica_id: str | None = None


@dataclass(frozen=True)
class ExternalDeploy:
    """An external deployment that is open. `deployments`: `{service: deployment id}`, the newest of each service.

    commit_sha: None if Railway does not report it. settled_at: since when none of its deployments is in progress.
    """

    id: int
    commit_sha: str | None
    opened_at: datetime
    settled_at: datetime | None
    deployments: Mapping[Service, str]

    @property
    def message_key(self) -> str:
        """The outbox key of its message."""
        return f"rollout:{self.id}"


STOP = "StopService"
SAME_AGAIN = frozenset(
    {"StartService", "RedeployDeployment", "RestartDeployment"}
)  # these keep the commit that was deployed before


@dataclass(frozen=True)
class ServiceAct:
    """An act of a run on a service. `kind` is the name of the step ("StopService", "RollBackDeployment").

    `deployment_id`: the deployment that it created or restarted; None for a stop. `at`: when it was done.
    """

    service: Service
    kind: str
    run_id: int
    deployment_id: str | None
    at: datetime
    by: Person


def with_journal(state: ServiceState, acts: Sequence[ServiceAct]) -> ServiceState:
    """Set `stopped_at` from the journal: when a run of ours stopped the service, if no later act started it."""
    last = max((act for act in acts if act.service is state.service), key=lambda act: act.at, default=None)
    return replace(state, stopped_at=last.at if last is not None and last.kind == STOP else None)


def with_heartbeats(state: ServiceState, beats: Collection[Heartbeat]) -> ServiceState:
    """Clear `stopped_at` if a worker has started since the stop: a person has started the service in Railway."""
    if state.stopped_at is None:
        return state
    settled_at = state.stopped_at + _CLOCKS_DIFFER + timedelta(seconds=state.draining_seconds or 0)
    starts = (beat.started_at for beat in beats if beat.worker_type == state.service.worker_type)
    has_started = any(start is not None and start > settled_at for start in starts)
    return replace(state, stopped_at=None) if has_started else state
