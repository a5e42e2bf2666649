"""The local Railway's records of deployments and patches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from services.domain.deployments import DeploymentStatus
from services.sandbox.railway.model import Behaviour, Commit, InstanceStatus, newest_good
from services.sandbox.railway.replica import LogBuffer, Replica

CURRENT_SINCE = timedelta(hours=5)  # longer than any check looks back for a deployment


@dataclass(frozen=True)
class PatchRecord:
    """One commit to the environment. `patch` may hold values of variables, which no answer contains."""

    patch: Mapping[str, Any]
    message: str | None
    id: str = field(default_factory=lambda: str(uuid4()))
    applied_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class DeploymentRecord:
    """One deployment. `served`: it was SUCCESS once, so a rollback to its image is possible.

    `variables` are those with which it was made; None for one of an earlier start of the sandbox, whose values (the
    database's port, for example) are not valid any more. They are secret and stay in memory.
    """

    commit: Commit
    creator: str
    visible_at: datetime
    id: str = field(default_factory=lambda: str(uuid4()))
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: DeploymentStatus = DeploymentStatus.INITIALIZING
    status_updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    served: bool = False
    variables: Mapping[str, str] | None = None
    replicas: list[Replica] = field(default_factory=list)
    logs: LogBuffer = field(default_factory=LogBuffer)
    build_logs: LogBuffer = field(default_factory=LogBuffer)

    @property
    def can_rollback(self) -> bool:
        return self.served

    @property
    def can_redeploy(self) -> bool:
        return not self.status.is_in_progress

    @property
    def is_stopped(self) -> bool:
        """True if it has instances, and all of them ended in order."""
        ended = (InstanceStatus.EXITED, InstanceStatus.STOPPED)
        return bool(self.replicas) and all(replica.status in ended for replica in self.replicas)

    @property
    def own_variables(self) -> dict[str, str]:
        """The variables that differ by deployment."""
        return {
            "RAILWAY_DEPLOYMENT_ID": self.id,
            "RAILWAY_GIT_COMMIT_SHA": self.commit.sha,
            "RAILWAY_GIT_COMMIT_MESSAGE": self.commit.message,
            "RAILWAY_GIT_AUTHOR": self.commit.author,
        }

    def become(self, status: DeploymentStatus) -> None:
        """Set the status and its time."""
        self.status = status
        self.status_updated_at = datetime.now(UTC)
        self.served = self.served or status is DeploymentStatus.SUCCESS

    def follow_replicas(self) -> bool:
        """Update SUCCESS and CRASHED by the state of the replicas. True if the status changed."""
        statuses = {replica.status for replica in self.replicas}
        if self.status is DeploymentStatus.SUCCESS and statuses == {InstanceStatus.CRASHED}:
            self.become(DeploymentStatus.CRASHED)
            return True
        if self.status is DeploymentStatus.CRASHED and InstanceStatus.RUNNING in statuses:
            self.become(DeploymentStatus.SUCCESS)
            return True
        return False


def current_deployment(commits: tuple[Commit, ...]) -> DeploymentRecord:
    """A deployment of the newest good commit, dated some hours ago, so that it is not suspected of new problems."""
    commit = newest_good(commits)
    moment = datetime.now(UTC) - CURRENT_SINCE
    return DeploymentRecord(commit, commit.author, visible_at=moment, created_at=moment, served=True)


def past_deployments(commits: tuple[Commit, ...]) -> list[DeploymentRecord]:
    """Deployments of the good commits before the newest, dated 1 day apart, for rollbacks."""
    now = datetime.now(UTC) - CURRENT_SINCE
    current = newest_good(commits)
    before = [commit for commit in commits[: commits.index(current)] if commit.behaviour is Behaviour.GOOD]
    moments = [now - timedelta(days=age) for age in range(len(before), 0, -1)]
    return [
        DeploymentRecord(
            commit,
            commit.author,
            visible_at=moment,
            created_at=moment,
            status=DeploymentStatus.REMOVED,
            status_updated_at=moment + timedelta(days=1),
            served=True,
        )
        for commit, moment in zip(before, moments, strict=True)
    ]
