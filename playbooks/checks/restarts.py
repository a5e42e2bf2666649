"""Checks that workers do not restart again and again, or end themselves (runbook, "Crash loop detected")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from playbooks.checks.memory import was_at_limit
from playbooks.model import Finding, NextStep, Status
from services.domain.deployments import DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat
from services.domain.services import Service, WorkerType
from services.domain.systems import System
from services.domain.text import age, clock_time, counted
from services.domain.thresholds import StaleLimits
from services.domain.usage import ServiceUsage


@dataclass(frozen=True)
class Facts:
    """`as_of` is the database's clock. services: Railway's last report, None if Railway is not configured.

    Deploys, restarts and scaling stop workers gracefully, so those that reported a stop do not count;
    `starts_per_replica` starts of the others within `window` are more than a killed process or a lost machine explains.
    usage: Railway's metrics, which show a crash at the memory limit.
    """

    as_of: datetime
    heartbeats: Sequence[Heartbeat] | Unavailable
    expected: Mapping[WorkerType, int | Unavailable]
    services: Mapping[Service, ServiceState] | Unavailable | None
    stale_after: StaleLimits
    window: timedelta
    starts_per_replica: float
    usage: Mapping[Service, ServiceUsage] | Unavailable | None = None
    system: System = field(kw_only=True)


def check(facts: Facts) -> list[Finding]:
    """`restarts.<short name>` for each worker service, then `crash_loop.<short name>` for each service."""
    return [
        *(_check_starts(facts, service) for service in facts.system.workers),
        *(_check_crashes(facts, service) for service in facts.system.services),
    ]


def _check_starts(facts: Facts, service: Service) -> Finding:
    name = f"restarts.{service.short}"
    if isinstance(facts.heartbeats, Unavailable):
        return Finding(name, Status.UNKNOWN, f"starts of {service.short} unknown", facts.heartbeats.why, service)
    since = facts.as_of - facts.window
    own = [beat for beat in facts.heartbeats if beat.worker_type == service.worker_type]
    starts = sum(beat.started_at is not None and beat.started_at > since and not beat.is_stopped for beat in own)
    replicas = _replicas(facts, service)
    evidence = {"starts": starts, "replicas": replicas, "window_s": round(facts.window.total_seconds())}
    title = f"{service.short} workers started {counted(starts, 'time')} in {age(facts.window)}"
    if starts < facts.starts_per_replica * replicas:
        return Finding(name, Status.OK, title, "", service, evidence)
    detail = f"{counted(replicas, 'replica')}: more than deploys and scaling explain"
    return Finding(name, Status.WARN, title, detail, service, evidence, _logs(service))


def _replicas(facts: Facts, service: Service) -> int:
    """The expected replicas; 1 if unknown."""
    assert service.worker_type is not None  # noqa: S101 - WORKERS have one
    expected = facts.expected.get(service.worker_type)
    return max(expected, 1) if isinstance(expected, int) else 1


def _check_crashes(facts: Facts, service: Service) -> Finding:
    name = f"crash_loop.{service.short}"
    crashed = _crashed_instances(facts, service)
    ended = _ended_in_error(facts, service)
    if ended:
        last = max(ended, key=lambda beat: beat.last_heartbeat_at)
        title = f"{service.short} gave up after failing again and again"
        detail = f"{last.worker_id} ended in error {clock_time(last.last_heartbeat_at)}"
        evidence = {"workers": [beat.worker_id for beat in ended]}
        return Finding(name, Status.FAIL, title, detail, service, evidence, _logs(service))
    if crashed:
        return _crashed(facts, service, crashed)
    if crashed is None and isinstance(facts.heartbeats, Unavailable):
        return Finding(name, Status.UNKNOWN, f"crashes of {service.short} unknown", "", service)
    return Finding(name, Status.OK, f"{service.short} is not crashing", "", service)


def _crashed(facts: Facts, service: Service, crashed: int) -> Finding:
    name, title, detail = (
        f"crash_loop.{service.short}",
        f"{service.short} crashed (Railway)",
        counted(crashed, "instance"),
    )
    evidence: dict[str, object] = {"crashed": crashed}
    used = facts.usage if facts.usage is None or isinstance(facts.usage, Unavailable) else facts.usage.get(service)
    full = was_at_limit(used, facts.as_of, _crashed_ids(facts, service))
    if full is not None:
        title = f"{service.short} crashed: killed at its memory limit" if full.is_identified else title
        detail += f"; memory stood at {full.memory_gb:.2f} of {full.limit_gb:.2f} GB"
        evidence |= {"memory_gb": full.memory_gb, "memory_limit_gb": full.limit_gb}
    return Finding(name, Status.FAIL, title, detail, service, evidence, _logs(service))


def _crashed_instances(facts: Facts, service: Service) -> int | None:
    """Crashed instances of the deployment that should serve; 0 if it was stopped, None if Railway does not say."""
    if facts.services is None or isinstance(facts.services, Unavailable):
        return None
    state = facts.services.get(service)
    if state is None or state.unknown is not None:
        return None
    if state.serving is not None:
        return sum(instance.status == "CRASHED" for instance in state.serving.instances)
    latest = state.latest
    return int(not state.is_stopped and latest is not None and latest.status is DeploymentStatus.CRASHED)


def _crashed_ids(facts: Facts, service: Service) -> set[str]:
    """The ids of the instances that `_crashed_instances` counts, as far as Railway names them."""
    state = None if facts.services is None or isinstance(facts.services, Unavailable) else facts.services.get(service)
    deployment = None if state is None else state.serving or state.latest
    return {one.id for one in deployment.instances if one.status == "CRASHED"} if deployment is not None else set()


def _ended_in_error(facts: Facts, service: Service) -> list[Heartbeat]:
    """Workers whose last heartbeat reports an error and is not stale yet."""
    if isinstance(facts.heartbeats, Unavailable) or service.worker_type is None:
        return []
    own = [beat for beat in facts.heartbeats if beat.worker_type == service.worker_type]
    limit = facts.stale_after.of(service.worker_type)
    return [beat for beat in own if beat.status == "error" and beat.age(facts.as_of) <= limit]


def _logs(service: Service) -> NextStep:
    return NextStep(f"Logs of {service.short}", f"logs {service.short}")
