"""Builders of the facts of changes; a test names only what matters to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from playbooks.change_parts import Load
from playbooks.model import NoPlan
from playbooks.plan import Plan
from services.domain.deployments import Deployment, DeploymentStatus, Instance, ServiceState
from services.domain.jobs import Heartbeat, QueueSnapshot, RunningJob
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
STALE_AFTER = StaleLimits(timedelta(minutes=5))


def sha(digit: str) -> str:
    """A commit of 40 characters that begins with this digit."""
    return (digit + "0123456789abcdef" * 3)[:40]


def deployment(
    name: str,
    commit: str | None = None,
    *,
    age_h: float = 1,
    status: DeploymentStatus = DeploymentStatus.SUCCESS,
    ended_h: float | None = None,
    can_rollback: bool = True,
) -> Deployment:
    """A deployment made `age_h` hours ago, whose status changed `ended_h` hours ago."""
    return Deployment(
        id=name,
        status=status,
        created_at=NOW - timedelta(hours=age_h),
        status_updated_at=NOW - timedelta(hours=age_h if ended_h is None else ended_h),
        can_rollback=can_rollback,
        commit_sha=sha("c") if commit is None else commit or None,
        commit_message=f"Message of {name}",
    )


def state(service: Service, *, replicas: int | None = 1, current: Deployment | None = None) -> ServiceState:
    """A service that serves with this many replicas."""
    serving = current or deployment(f"d-{service.short}")
    instances = tuple(Instance(f"i{n}", "RUNNING") for n in range(replicas or 0))
    serving = replace(serving, instances=instances)
    return ServiceState(
        service, f"s-{service.short}", (serving,), serving, replicas_configured=replicas, draining_seconds=30
    )


def stopped(service: Service, *, replicas: int | None = 1) -> ServiceState:
    """A service whose deployment was stopped."""
    halted = replace(deployment(f"d-{service.short}"), stopped=True)
    return replace(state(service, replicas=replicas), active=(halted,), latest=halted)


def states(*changed: ServiceState) -> dict[Service, ServiceState]:
    """All services, one replica each, except for those given."""
    return {service: state(service) for service in RUNBOOK.services} | {one.service: one for one in changed}


def beat(worker_id: str, service: Service = Service.INGEST, *, age_s: float = 10) -> Heartbeat:
    worker_type = service.worker_type
    return Heartbeat(worker_id, str(worker_type), "running", NOW - timedelta(seconds=age_s))


def running_job(number: int, worker_id: str, *, age_s: float = 60) -> RunningJob:
    return RunningJob(f"job-{number}", "simplicity_ingest", 1, NOW - timedelta(seconds=age_s), worker_id, NOW)


def load(*, beats: Sequence[Heartbeat] = (), running: Sequence[RunningJob] = (), pending: int = 0) -> Load:
    queue = QueueSnapshot(NOW, pending, NOW - timedelta(minutes=9) if pending else None, len(running), 0, 0)
    return Load(STALE_AFTER, queue, tuple(running), tuple(beats), system=RUNBOOK)


def made(result: Plan | NoPlan) -> Plan:
    assert isinstance(result, Plan), result
    return result


def refused(result: Plan | NoPlan) -> NoPlan:
    assert isinstance(result, NoPlan), result
    return result
