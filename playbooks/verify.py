"""Verify a deployment: right commit, API healthy, workers beating (runbook, "Deployment Verification")

When:   after every deploy and every rollback.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from playbooks.checks import api, heartbeats, sha
from playbooks.model import Finding, NextStep, Status, worst
from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth, IntakeHealth
from services.domain.jobs import Heartbeat
from services.domain.services import Service, WorkerType, same_sha, short_sha
from services.domain.systems import System
from services.domain.thresholds import StaleLimits


@dataclass(frozen=True)
class Facts:
    """`wanted_sha` None means the commit that Railway reports as deployed. `as_of` is the database's clock. `stored`:
    the text is read later, so it has clock times."""

    targets: tuple[Service, ...]
    wanted_sha: str | None
    environment: str | None
    as_of: datetime
    stale_after: StaleLimits
    api: ApiHealth | Unavailable
    intake: IntakeHealth | Unavailable
    heartbeats: Sequence[Heartbeat] | Unavailable
    services: Mapping[Service, ServiceState] | Unavailable
    expected: Mapping[WorkerType, int | Unavailable]
    expected_age: timedelta = timedelta()
    all_visible: bool = True
    stored: bool = False
    system: System = field(kw_only=True)


@dataclass(frozen=True)
class Step:
    """One of the runbook's steps, with its findings."""

    title: str
    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        return worst(self.findings)


def steps(facts: Facts) -> list[Step]:
    """The runbook's steps that concern the targets, in its order."""
    found = [Step("Step 1: Git SHA", tuple(_check_sha(facts, service) for service in facts.targets))]
    if facts.system.api in facts.targets:
        others = not isinstance(facts.services, Unavailable)
        asked = api.Facts(facts.api, facts.environment, others_answer=others, system=facts.system)
        answers = [*api.check(asked), *api.check_intake(facts.intake, others_answer=others, system=facts.system)]
        found.append(Step("Step 2: API health", tuple(answers)))
    beats = tuple(_check_heartbeats(facts))
    if beats:
        found.append(Step("Step 3: worker heartbeats", beats))
    return found


def verdict(facts: Facts, found: Sequence[Step]) -> tuple[Status, str]:
    """One status and one sentence over all steps."""
    names = (
        "everything" if len(facts.targets) == len(facts.system.services) else ", ".join(s.short for s in facts.targets)
    )
    what = names + (f" at {short_sha(facts.wanted_sha)}" if facts.wanted_sha else "")
    status = worst(finding for step in found for finding in step.findings)
    words = {
        Status.OK: f"Verified: {what}",
        Status.WARN: f"Verified with a warning: {what}",
        Status.FAIL: f"NOT verified: {what}",
        Status.UNKNOWN: f"Cannot be verified: {what}",
    }[status]
    first = next((f.title for step in found for f in step.findings if f.status is status), "")
    return status, words if status is Status.OK else f"{words}; {first}"


def _check_sha(facts: Facts, service: Service) -> Finding:
    sha_facts = sha.Facts(
        facts.as_of,
        facts.stale_after,
        facts.services,
        facts.api,
        facts.heartbeats,
        facts.all_visible,
        system=facts.system,
    )
    found = next(finding for finding in sha.check(sha_facts) if finding.service is service)
    reported = sha.reported_shas(sha_facts, service)
    if facts.wanted_sha is not None:
        return _compare(found, service, facts.wanted_sha, reported)
    # A service without a process may be intended; after a deployment it is a failure.
    return replace(found, status=Status.FAIL) if reported == () else found


def _compare(found: Finding, service: Service, wanted: str, reported: tuple[str, ...] | Unavailable) -> Finding:
    """The commits that the processes report, compared with the wanted one."""
    evidence = {**found.evidence, "wanted": wanted}
    name, short = found.check, service.short
    step = NextStep("Compare SHAs", "sha")
    if isinstance(reported, Unavailable):
        return Finding(name, Status.UNKNOWN, f"{short} does not report its SHA", reported.why, service, evidence, step)
    if not reported:
        return Finding(name, Status.FAIL, f"{short} runs nothing", "", service, evidence, step)
    if all(same_sha(one, wanted) for one in reported):
        return Finding(name, Status.OK, f"{short} runs {short_sha(wanted)}", "", service, evidence)
    running = " and ".join(map(short_sha, reported))
    status = Status.UNKNOWN if set(reported) == {"unknown"} else Status.FAIL
    return Finding(name, status, f"{short} runs {running}, not {short_sha(wanted)}", "", service, evidence, step)


def _check_heartbeats(facts: Facts) -> list[Finding]:
    beats = heartbeats.Facts(
        facts.as_of,
        facts.heartbeats,
        facts.expected,
        facts.stale_after,
        facts.expected_age,
        facts.all_visible,
        facts.stored,
        system=facts.system,
    )
    found = [finding for finding in heartbeats.check(beats) if finding.service in facts.targets]
    return [_need_running(facts, finding) for finding in found]


def _need_running(facts: Facts, finding: Finding) -> Finding:
    """The runbook requires at least one row of each type with status `running`; a heartbeat alone is not enough."""
    if finding.status is not Status.OK or isinstance(facts.heartbeats, Unavailable) or finding.service is None:
        return finding
    own = [beat for beat in facts.heartbeats if beat.worker_type == finding.service.worker_type]
    beating = [beat for beat in own if beat.is_beating(facts.as_of, facts.stale_after)]
    if not beating or any(beat.status == "running" for beat in beating):
        return finding
    states = ", ".join(sorted({beat.status for beat in beating}))
    step = NextStep(f"Logs of {finding.service.short}", f"logs {finding.service.short}")
    title = f"{finding.service.short} is alive, but no worker is running"
    is_degraded = all(beat.trouble is Status.WARN for beat in beating)
    return replace(
        finding,
        status=Status.WARN if is_degraded else Status.FAIL,
        title=title,
        detail=f"status {states}",
        next_step=step,
    )
