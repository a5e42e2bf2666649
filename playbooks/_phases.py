"""The phases that several changes go through: stop a service, start a stopped one, see that it is well."""

from __future__ import annotations

from collections.abc import Iterator

from playbooks._states import Standing
from playbooks._steps import (
    AwaitDeployment,
    AwaitStopped,
    StartService,
    Step,
    StopService,
    VerifyApiHealth,
    VerifyHeartbeats,
    VerifyNoOrphanedJobs,
    VerifyStartupLog,
)
from playbooks._timeouts import DEPLOY_S, HEALTH_S, HEARTBEAT_S, STARTUP_LOG_S, stop_timeout_s
from services.domain.services import Service

# Starting a stopped service is a redeploy, and Railway knows no other way.
NEW_VARIABLES = "it starts again with the current variables, also after a rollback to older ones"


def stop(found: Standing, from_: int) -> Iterator[Step]:
    """Stop a service gracefully, wait for its last process, and look for the jobs that it left."""
    yield StopService(found.service, found.current.id, from_)
    yield AwaitStopped(found.service, stop_timeout_s(found.state.draining_seconds))
    if found.service.worker_type:
        yield VerifyNoOrphanedJobs(found.service)


def start(service: Service, deployment_id: str, to: int) -> Iterator[Step]:
    """Start a stopped service at `to` replicas of that deployment, and watch it come up."""
    yield StartService(service, deployment_id, to)
    yield AwaitDeployment(service, DEPLOY_S)
    yield from come_up(service, to)


def come_up(service: Service, count: int) -> Iterator[Step]:
    """The runbook's startup lines and the first heartbeats; the API's health."""
    if service.worker_type:
        yield VerifyStartupLog(service, STARTUP_LOG_S)
    yield alive(service, count)


def alive(service: Service, count: int) -> Step:
    """Exactly `count` workers beat, or the API answers that it is well."""
    if service.worker_type is None:
        return VerifyApiHealth(HEALTH_S)
    return VerifyHeartbeats(service, count, HEARTBEAT_S)
