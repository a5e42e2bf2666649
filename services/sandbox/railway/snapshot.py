"""A snapshot of the local Railway for the page's panel: frozen, JSON-serializable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.sandbox.railway.model import Commit, Faults
from services.sandbox.railway.records import DeploymentRecord
from services.sandbox.railway.replica import Replica
from services.sandbox.railway.runner import ServiceRunner


@dataclass(frozen=True)
class ReplicaView:
    """A replica. `status` is an `InstanceStatus`; `pid` and `port` are None while no process runs."""

    id: str
    deployment_id: str
    region: str
    status: str
    is_frozen: bool
    restarts: int
    pid: int | None
    port: int | None


@dataclass(frozen=True)
class DeploymentView:
    """A deployment. `status` is a `DeploymentStatus`; `is_active`: it has the service's processes."""

    id: str
    status: str
    status_updated_at: datetime
    created_at: datetime
    creator: str
    sha: str
    message: str
    author: str
    is_active: bool
    is_stopped: bool
    can_rollback: bool


@dataclass(frozen=True)
class ServiceView:
    """A service. `replicas` are those of the active deployment and of one in progress; `deployments` newest first."""

    name: str
    id: str
    start_command: str
    is_public: bool
    replicas_configured: int
    auto_deploy: bool
    replicas: tuple[ReplicaView, ...]
    deployments: tuple[DeploymentView, ...]

    @property
    def active(self) -> DeploymentView | None:
        return next((deployment for deployment in self.deployments if deployment.is_active), None)


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment. `edge_url` is the API's public address."""

    project_id: str
    environment_id: str
    environment_name: str
    edge_url: str
    edge_latency_s: float
    faults: Faults
    commits: tuple[Commit, ...]
    services: tuple[ServiceView, ...]


def view_service(service: ServiceRunner) -> ServiceView:
    """The service as it is now."""
    newest_first = sorted(service.deployments, key=lambda record: record.created_at, reverse=True)
    return ServiceView(
        name=service.spec.name,
        id=service.id,
        start_command=service.spec.start_command,
        is_public=service.spec.is_public,
        replicas_configured=sum(service.regions.values()),
        auto_deploy=service.auto_deploy,
        replicas=tuple(_view_replica(replica, record) for record in newest_first for replica in record.replicas),
        deployments=tuple(_view_deployment(record, is_active=record is service.active) for record in newest_first),
    )


def _view_replica(replica: Replica, record: DeploymentRecord) -> ReplicaView:
    return ReplicaView(
        id=replica.id,
        deployment_id=record.id,
        region=replica.region,
        status=replica.status.value,
        is_frozen=replica.is_frozen,
        restarts=replica.restarts,
        pid=replica.pid,
        port=replica.port if replica.pid else None,
    )


def _view_deployment(record: DeploymentRecord, *, is_active: bool) -> DeploymentView:
    return DeploymentView(
        id=record.id,
        status=record.status.value,
        status_updated_at=record.status_updated_at,
        created_at=record.created_at,
        creator=record.creator,
        sha=record.commit.sha,
        message=record.commit.message,
        author=record.commit.author,
        is_active=is_active,
        is_stopped=record.is_stopped,
        can_rollback=record.can_rollback,
    )
