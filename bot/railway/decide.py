"""Decides whether an external deployment is announced now, and with which result; pure.

A deployment is new if it was never seen and none of our runs made it. While a run holds the service, that is unknown:
the run's journal may name the deployment in a moment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from playbooks import verify
from playbooks.checks import deployments, migrations
from playbooks.model import Finding, Status, worst
from services.domain.database import MigrationStatus
from services.domain.deployments import Deployment, DeploymentStatus, ExternalDeploy, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service, in_order, short_sha
from services.domain.systems import System

SETTLE = timedelta(seconds=180)  # heartbeats come every 30 s (`HEARTBEAT_S`), and a replaced worker's have to stop
ARRIVE = timedelta(minutes=30)  # a build takes minutes; a longer one waits for a person


class Progress(StrEnum):
    """The progress of one deployment. HELD: a person has to approve it in Railway. GONE: another one replaced it before
    it was active. SKIPPED: Railway left the service out, because the push changed nothing that it watches."""

    COMING = "coming"
    HELD = "held"
    SERVES = "serves"
    FAILED = "failed"
    GONE = "gone"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Memory:
    """The stored facts: current deployments that were seen before, those of our runs, and services that a run holds."""

    is_first: bool
    seen: Collection[str]
    ours: Collection[str]
    taken: Collection[Service]
    open: Sequence[ExternalDeploy]


@dataclass(frozen=True)
class Remember:
    """Store without an announcement: it existed before the first read, a run made it, or Railway skipped the
    service."""

    service: Service
    deployment: Deployment


@dataclass(frozen=True)
class Join:
    """Add it to an open external deployment; `rollout_id` None: to a new one of this commit."""

    rollout_id: int | None
    service: Service
    deployment: Deployment


MemoryChange = Remember | Join

_NOT_YET = {DeploymentStatus.NEEDS_APPROVAL: Progress.HELD, DeploymentStatus.SKIPPED: Progress.SKIPPED}


def shown(services: Mapping[Service, ServiceState]) -> list[tuple[Service, Deployment]]:
    """List the active and the latest deployment of each service, oldest first."""
    found = {
        deployment.id: (service, deployment)
        for service, state in services.items()
        for deployment in filter(None, (state.serving, state.latest))
    }
    return sorted(found.values(), key=lambda one: (one[1].created_at, one[1].id))


def decide(services: Mapping[Service, ServiceState], memory: Memory) -> list[MemoryChange]:
    """Decide what to store about deployments that were never seen."""
    new = [(service, one) for service, one in shown(services) if one.id not in memory.seen]
    return [change for service, one in new if (change := _decide_one(service, one, memory)) is not None]


def _decide_one(service: Service, deployment: Deployment, memory: Memory) -> MemoryChange | None:
    if memory.is_first or deployment.id in memory.ours or deployment.status is DeploymentStatus.SKIPPED:
        return Remember(service, deployment)
    if service in memory.taken:
        return None
    fitting = (one for one in memory.open if one.commit_sha == deployment.commit_sha)
    return Join(next((one.id for one in fitting), None), service, deployment)


def progress(external_deploy: ExternalDeploy, services: Mapping[Service, ServiceState]) -> dict[Service, Progress]:
    """Return the progress of each of its deployments."""
    return {service: _progress(services.get(service), name) for service, name in external_deploy.deployments.items()}


def skipped(external_deploy: ExternalDeploy, services: Mapping[Service, ServiceState]) -> tuple[Service, ...]:
    """Return the services for which Railway skipped this commit."""
    sha = external_deploy.commit_sha
    latest = {service: state.latest for service, state in services.items() if state.latest is not None}
    left_out = {
        one for one, made in latest.items() if made.status is DeploymentStatus.SKIPPED and made.commit_sha == sha
    }
    return in_order(left_out) if sha else ()


def _progress(state: ServiceState | None, deployment_id: str) -> Progress:
    if state is not None and state.unknown is not None:
        return Progress.COMING  # unknown: read again
    known = [] if state is None else [*filter(None, (state.serving, state.latest)), *state.active]
    deployment = next((one for one in known if one.id == deployment_id), None)
    if state is None or deployment is None:
        return Progress.GONE
    if state.serving is not None and state.serving.id == deployment_id:
        return Progress.SERVES
    if deployment.status.is_failed:
        return Progress.FAILED
    if deployment.status.is_in_progress:
        return Progress.COMING
    return _NOT_YET.get(deployment.status, Progress.GONE)


def is_settled(found: Mapping[Service, Progress]) -> bool:
    """True if none of its deployments is in progress or waits for a person."""
    return not {Progress.COMING, Progress.HELD} & set(found.values())


def serves(found: Mapping[Service, Progress]) -> bool:
    """True if it is active on every service that takes part."""
    return {found[service] for service in services_of(found)} == {Progress.SERVES}


def arrived(found: Mapping[Service, Progress]) -> tuple[Service, ...]:
    """Return the services on which it is active now."""
    return in_order(service for service, one in found.items() if one is Progress.SERVES)


def is_overdue(external_deploy: ExternalDeploy, now: datetime) -> bool:
    """True if the time to deploy it, or to verify it, is over: then its current state is announced."""
    if external_deploy.settled_at is not None:
        return now >= external_deploy.settled_at + SETTLE
    return now >= external_deploy.opened_at + ARRIVE


@dataclass(frozen=True)
class Verdict:
    """The result of the verification. `is_final` False: it may still pass, and is checked again."""

    status: Status
    sentence: str
    steps: tuple[verify.Step, ...]
    is_final: bool


@dataclass(frozen=True)
class Evidence:
    """The facts for a verdict. `facts`: of the services on which it is active now; None if there are none."""

    services: Mapping[Service, ServiceState]
    facts: verify.Facts | None
    migrations: MigrationStatus | Unavailable
    system: System = field(kw_only=True)


def judge(
    external_deploy: ExternalDeploy, found: Mapping[Service, Progress], evidence: Evidence, now: datetime
) -> Verdict:
    """Judge the deployment. A good result is final immediately, another one when its time is over or waiting can't
    help."""
    sha, overdue = short_sha(external_deploy.commit_sha), is_overdue(external_deploy, now)
    if not is_settled(found):
        return Verdict(Status.UNKNOWN, _unfinished_words(sha, found), (), overdue)
    if evidence.facts is None:
        return _judge_inactive(sha, found, evidence)
    steps = [
        *_deployments(found, evidence.services, evidence.system),
        *verify.steps(evidence.facts),
        _migrations(evidence.migrations),
    ]
    status, sentence = verify.verdict(evidence.facts, steps)
    return Verdict(status, sentence, tuple(steps), status is Status.OK or overdue)


def services_of(found: Mapping[Service, Progress]) -> tuple[Service, ...]:
    """Return the services that take part, the API first."""
    return in_order(service for service, one in found.items() if one is not Progress.SKIPPED)


def _unfinished_words(sha: str, found: Mapping[Service, Progress]) -> str:
    """Describe what is unfinished; approvals are named, because Railway does not continue without them."""
    coming, held = _names(found, Progress.COMING), _names(found, Progress.HELD)
    waits = f"{sha} waits for approval in Railway on {held}" if held else ""
    return ", and ".join(filter(None, (waits, f"{sha} is still on its way to {coming}" if coming else "")))


def _judge_inactive(sha: str, found: Mapping[Service, Progress], evidence: Evidence) -> Verdict:
    """Judge a deployment that is active nowhere and will not be: it failed, or another one replaced it."""
    failed = _names(found, Progress.FAILED)
    if not failed:
        gone = _names(found, Progress.GONE)
        if not gone:
            return Verdict(Status.OK, f"Railway skipped {sha}: no service watches what it changed", (), is_final=True)
        return Verdict(Status.WARN, f"{sha} was replaced on {gone} before it was verified", (), is_final=True)
    steps = tuple(_deployments(found, evidence.services, evidence.system))
    return Verdict(Status.FAIL, f"NOT deployed: {sha} failed on {failed}", steps, is_final=True)


def _deployments(
    found: Mapping[Service, Progress], services: Mapping[Service, ServiceState], system: System
) -> list[verify.Step]:
    about = {*arrived(found), *(service for service, one in found.items() if one is Progress.FAILED)}
    listed = [finding for finding in deployments.check(services, system) if finding.service in about]
    return [verify.Step("Deployments", tuple(_failed(finding, found) for finding in listed))] if listed else []


def _failed(finding: Finding, found: Mapping[Service, Progress]) -> Finding:
    """Turn the finding into a failure, although the former deployment is still active: the new one failed."""
    if finding.service is None or found.get(finding.service) is not Progress.FAILED:
        return finding
    fail = worst([finding, Finding("", Status.FAIL, "")])
    return Finding(
        finding.check, fail, finding.title, finding.detail, finding.service, finding.evidence, finding.next_step
    )


def _migrations(status: MigrationStatus | Unavailable) -> verify.Step:
    """Report pending migrations only: a schema newer than the files is normal after a code rollback."""
    if isinstance(status, Unavailable) or status.pending or status.changed or not status.is_migrated:
        return verify.Step("Migrations", tuple(migrations.check(status)))
    return verify.Step("Migrations", (Finding("database.migrations", Status.OK, "none is pending"),))


def _names(found: Mapping[Service, Progress], which: Progress) -> str:
    return ", ".join(service.short for service in services_of(found) if found[service] is which)


def scope_of(services: Sequence[Service], system: System) -> str:
    """The command argument for exactly these services, or for the first one if there is none."""
    if set(services) == set(system.services):
        return "all"
    return "workers" if services and set(services) == set(system.workers) else services[0].short
