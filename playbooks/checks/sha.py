"""Checks that every process runs the commit that Railway reports as deployed, and all services the same one.

SHAs are compared by prefix: one place shows 8 characters and another 40 (runbook, "Confirm Git SHA").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from playbooks.model import Finding, NextStep, Status
from services.domain.deployments import ServiceState, find_state
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.jobs import Heartbeat
from services.domain.services import Service, same_sha, short_sha
from services.domain.systems import System
from services.domain.thresholds import StaleLimits

STEP = NextStep("Compare SHAs", "sha")


@dataclass(frozen=True)
class Facts:
    """The reports of Railway and of the processes. `as_of` is the clock of the heartbeats.

    `all_visible` is False if row-level security may hide heartbeats from the role that read them.
    """

    as_of: datetime
    stale_after: StaleLimits
    services: Mapping[Service, ServiceState] | Unavailable
    api: ApiHealth | Unavailable
    heartbeats: Sequence[Heartbeat] | Unavailable
    all_visible: bool = True
    system: System = field(kw_only=True)


def check(facts: Facts) -> list[Finding]:
    """One finding per service, `sha.<short name>`, then `sha.same` over all."""
    return [*(_check_service(facts, service) for service in facts.system.services), _check_same(facts)]


def deployed_sha(facts: Facts, service: Service) -> str | Unavailable | None:
    """The commit that Railway reports as serving; None if nothing serves or Railway has no commit for it."""
    state = find_state(facts.services, service)
    if isinstance(state, Unavailable):
        return state
    return state.serving.commit_sha if state and state.serving else None


def reported_shas(facts: Facts, service: Service) -> tuple[str, ...] | Unavailable:
    """The commits that the service's living processes report, each once; `unknown` for a process without one."""
    if service.is_api:
        return facts.api if isinstance(facts.api, Unavailable) else (facts.api.git_sha or "unknown",)
    if isinstance(facts.heartbeats, Unavailable):
        return facts.heartbeats
    beating = [beat for beat in facts.heartbeats if beat.is_beating(facts.as_of, facts.stale_after)]
    own = [beat.git_sha or "unknown" for beat in beating if beat.worker_type == service.worker_type]
    if not own and not facts.all_visible:
        return Unavailable("database", "row-level security may hide workers")
    return tuple(dict.fromkeys(own))


def unproved_services(facts: Facts) -> tuple[Service, ...]:
    """The services without a process that reported its commit, so that only Railway's report is left."""
    reported = {service: reported_shas(facts, service) for service in facts.system.services}
    return tuple(one for one, shas in reported.items() if isinstance(shas, Unavailable) or not set(shas) - {"unknown"})


def _check_service(facts: Facts, service: Service) -> Finding:
    deployed, reported = deployed_sha(facts, service), reported_shas(facts, service)
    evidence = {
        "deployed": None if isinstance(deployed, Unavailable) else deployed,
        "reported": None if isinstance(reported, Unavailable) else list(reported),
    }
    status, words, detail = _judge(deployed, reported)
    if reported == () and _is_stopped(facts, service):
        status, words, detail = Status.OK, "runs nothing", "0 replicas"
    if status is Status.FAIL and _is_deploying(facts, service):
        status, detail = Status.WARN, "a deployment is in progress"
    step = None if status is Status.OK else STEP
    return Finding(f"sha.{service.short}", status, f"{service.short} {words}", detail, service, evidence, step)


def _judge(deployed: str | Unavailable | None, reported: tuple[str, ...] | Unavailable) -> tuple[Status, str, str]:
    if isinstance(reported, Unavailable):
        return Status.UNKNOWN, "does not report its SHA", reported.why
    if isinstance(deployed, Unavailable):
        return Status.UNKNOWN, f"runs {_list(reported)}, deployed unknown", deployed.why
    if not reported:
        return Status.UNKNOWN, "runs nothing", _deployed_words(deployed)
    if deployed is None:
        return Status.UNKNOWN, f"runs {_list(reported)}, Railway names no commit", ""
    if all(same_sha(sha, deployed) for sha in reported):
        return Status.OK, f"runs {short_sha(deployed)}", ""
    wrong = [sha for sha in reported if sha != "unknown" and not same_sha(sha, deployed)]
    if not wrong:
        return Status.UNKNOWN, "does not report its SHA", f"not proved; {_deployed_words(deployed)}"
    detail = "only some of its workers" if len(wrong) < len(reported) else ""
    return Status.FAIL, f"runs {_list(wrong)}, not {short_sha(deployed)}", detail


def _check_same(facts: Facts) -> Finding:
    known = {service: _known_sha(facts, service) for service in facts.system.services}
    evidence = {service.short: sha for service, sha in known.items()}
    shas = [sha for sha in known.values() if sha is not None]
    if any(not same_sha(shas[0], sha) for sha in shas[1:]):
        title = "not all services run the same SHA"
        detail = ", ".join(f"{service.short} {short_sha(sha)}" for service, sha in known.items())
        return Finding("sha.same", Status.WARN, title, detail, evidence=evidence, next_step=STEP)
    missing = [service.short for service, sha in known.items() if sha is None and not _is_stopped(facts, service)]
    if missing:
        title = f"SHA of {', '.join(missing)} unknown"
        return Finding("sha.same", Status.UNKNOWN, title, evidence=evidence, next_step=STEP)
    unproved = [service.short for service in unproved_services(facts) if known[service] is not None]
    detail = f"according to Railway: {', '.join(unproved)}" if unproved else ""
    return Finding("sha.same", Status.OK, f"all services run {short_sha(shas[0])}", detail, evidence=evidence)


def _known_sha(facts: Facts, service: Service) -> str | None:
    """The commit that the processes report, else Railway's."""
    reported, deployed = reported_shas(facts, service), deployed_sha(facts, service)
    known_shas = [] if isinstance(reported, Unavailable) else [sha for sha in reported if sha != "unknown"]
    return known_shas[0] if known_shas else None if isinstance(deployed, Unavailable) else deployed


def _is_stopped(facts: Facts, service: Service) -> bool:
    if isinstance(facts.services, Unavailable) or service.worker_type is None:
        return False
    state = facts.services.get(service)
    return state is not None and state.replicas_wanted == 0


def _is_deploying(facts: Facts, service: Service) -> bool:
    if isinstance(facts.services, Unavailable):
        return False
    state = facts.services.get(service)
    return state is not None and state.latest is not None and state.latest.status.is_in_progress


def _list(shas: Sequence[str]) -> str:
    return " and ".join(short_sha(sha) for sha in shas) or "nothing"


def _deployed_words(deployed: str | None) -> str:
    return f"Railway deployed {short_sha(deployed)}" if deployed else "Railway runs nothing"
