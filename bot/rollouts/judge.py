"""What a rollout comes to: is it told now, and as what; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.rollouts.decide import Progress, arrived, is_overdue, is_settled
from playbooks import verify
from playbooks._contract import Finding, Status, worst
from playbooks.checks import deployments, migrations
from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.migrations import MigrationStatus
from services.domain.rollouts import Rollout
from services.domain.services import Service
from services.domain.sha import short_sha


@dataclass(frozen=True)
class Verdict:
    """`is_final` False: it may come right yet, and is looked at again."""

    status: Status
    sentence: str
    steps: tuple[verify.Step, ...]
    is_final: bool


@dataclass(frozen=True)
class Evidence:
    """What was read. `facts`: of the services that serve it now; None when none does."""

    services: Mapping[Service, ServiceState]
    facts: verify.Facts | None
    migrations: MigrationStatus | Unavailable


def judge(rollout: Rollout, found: Mapping[Service, Progress], evidence: Evidence, now: datetime) -> Verdict:
    """Fine is told at once; anything else when its time is over, unless waiting cannot mend it."""
    sha, overdue = short_sha(rollout.commit_sha), is_overdue(rollout, now)
    if not is_settled(found):
        return Verdict(Status.UNKNOWN, _still_on_its_way(sha, found), (), overdue)
    if evidence.facts is None:
        return _not_there(sha, found, evidence)
    steps = [*_deployments(found, evidence.services), *verify.steps(evidence.facts), _migrations(evidence.migrations)]
    status, sentence = verify.verdict(evidence.facts, steps)
    return Verdict(status, sentence, tuple(steps), status is Status.OK or overdue)


def services_of(found: Mapping[Service, Progress]) -> tuple[Service, ...]:
    """Those that take part in it, in the runbook's order."""
    return tuple(service for service in Service if found.get(service, Progress.SKIPPED) is not Progress.SKIPPED)


def _still_on_its_way(sha: str, found: Mapping[Service, Progress]) -> str:
    """What waits for a person is said as that: Railway does not go on by itself."""
    coming, held = _names(found, Progress.COMING), _names(found, Progress.HELD)
    waits = f"{sha} waits for approval in Railway on {held}" if held else ""
    return ", and ".join(filter(None, (waits, f"{sha} is still on its way to {coming}" if coming else "")))


def _not_there(sha: str, found: Mapping[Service, Progress], evidence: Evidence) -> Verdict:
    """It serves nowhere, and will not: it failed, or another deployment took its place."""
    failed = _names(found, Progress.FAILED)
    if not failed:
        gone = _names(found, Progress.GONE)
        if not gone:
            return Verdict(Status.OK, f"Railway skipped {sha}: no service watches what it changed", (), is_final=True)
        return Verdict(Status.WARN, f"{sha} was replaced on {gone} before it was verified", (), is_final=True)
    steps = tuple(_deployments(found, evidence.services))
    return Verdict(Status.FAIL, f"NOT deployed: {sha} failed on {failed}", steps, is_final=True)


def _deployments(found: Mapping[Service, Progress], services: Mapping[Service, ServiceState]) -> list[verify.Step]:
    about = {*arrived(found), *(service for service, one in found.items() if one is Progress.FAILED)}
    listed = [finding for finding in deployments.check(services) if finding.service in about]
    return [verify.Step("Deployments", tuple(_failed(finding, found) for finding in listed))] if listed else []


def _failed(finding: Finding, found: Mapping[Service, Progress]) -> Finding:
    """That the former deployment still serves makes it no warning here: what was deployed has failed."""
    if finding.service is None or found.get(finding.service) is not Progress.FAILED:
        return finding
    fail = worst([finding, Finding("", Status.FAIL, "")])
    return Finding(
        finding.check, fail, finding.title, finding.detail, finding.service, finding.evidence, finding.next_step
    )


def _migrations(status: MigrationStatus | Unavailable) -> verify.Step:
    """Pending ones only: a database that is newer than the files is what a code rollback leaves."""
    if isinstance(status, Unavailable) or status.pending or status.changed:
        return verify.Step("Migrations", tuple(migrations.check(status)))
    return verify.Step("Migrations", (Finding("database.migrations", Status.OK, "none is pending"),))


def _names(found: Mapping[Service, Progress], which: Progress) -> str:
    return ", ".join(service.short for service in services_of(found) if found[service] is which)


def scope_of(services: Sequence[Service]) -> str:
    """The word that a command takes for exactly these services; the first one when there is none."""
    if len(services) == len(Service):
        return "all"
    return "workers" if services and set(services) == {Service.INGEST, Service.ENFORCEMENT} else services[0].short
