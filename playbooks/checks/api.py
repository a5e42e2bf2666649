"""Checks that the API responds, has its endpoints, and accepts files (runbook, "API Health Check")."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime

from playbooks.model import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.health import AnsweredWell, ApiHealth, Endpoint, IntakeHealth
from services.domain.services import short_sha
from services.domain.systems import CIVIL, RUNBOOK, System

LOGS = NextStep("Logs of api", "logs api")


@dataclass(frozen=True)
class Facts:
    """`environment`: the bot's environment, None if its own settings do not name it.

    `others_answer`: True if Railway answers, so that the API's silence is its own fault, not our network's.
    `answered`: the ok answers before the API stopped answering well; `bad_since`: since when an alert reports that it
    does not; None if that is not known.
    """

    health: ApiHealth | Unavailable
    environment: str | None
    others_answer: bool = False
    answered: AnsweredWell | None = None
    bad_since: datetime | None = None
    system: System = field(kw_only=True)


def check(facts: Facts) -> list[Finding]:
    """One finding: `api.health`."""
    well = facts.answered
    known: dict[str, object] = {"bad_since": facts.bad_since.isoformat()} if facts.bad_since else {}
    if well is not None:
        known |= {"well_since": well.since.isoformat(), "well_until": well.until.isoformat()}
        known |= {"well_sha": well.git_sha, "well_spans": well.spans}
    return [replace(finding, evidence={**finding.evidence, **known}) for finding in _check(facts)]


def _check(facts: Facts) -> list[Finding]:
    health = facts.health
    if isinstance(health, Unavailable):
        return [judge_silence("api", health, others_answer=facts.others_answer, system=facts.system)]
    evidence = {
        "http_status": health.http_status,
        "status": health.status,
        "environment": health.environment,
        "git_sha": health.git_sha,
        "db_connected": health.db_connected,
        "elapsed_ms": round(health.elapsed_ms),
    }
    status, title, detail = _judge(health, facts.environment)
    step = None if status is Status.OK else LOGS
    return [Finding("api.health", status, title, detail, facts.system.api, evidence, step)]


def judge_silence(name: str, reason: Unavailable, *, others_answer: bool, system: System) -> Finding:
    """The finding for an unusable answer: unknown, or a failure if other systems answer, because customers wait too.

    A server error (from the API, or from Railway's edge for it) is an answer.
    """
    status, title, detail = Status.UNKNOWN, f"{name} health unknown", reason.why
    if reason.is_outage and others_answer:
        status, title = Status.FAIL, f"{name} does not answer"
    if reason.is_server_error:
        status, title, detail = Status.FAIL, f"{name} answers HTTP {reason.http_status}", "it is starting or broken"
    evidence = {"http_status": reason.http_status, "why": reason.why}
    return Finding(f"{name}.health", status, title, detail, system.api, evidence, LOGS)


def _judge(health: ApiHealth, environment: str | None) -> tuple[Status, str, str]:
    took = f"in {health.elapsed_ms:.0f} ms"
    if health.db_connected is False:
        return Status.FAIL, f"api does not reach its database (HTTP {health.http_status})", took
    if health.db_writable is False:
        return Status.FAIL, f"api cannot write to its database (HTTP {health.http_status})", took
    if not health.is_ok:
        return Status.FAIL, f"api answers {health.http_status} with status {health.status}", took
    if health.environment is None:
        return Status.UNKNOWN, "api does not report its environment", took
    if environment is None:
        return Status.UNKNOWN, f"api runs in {health.environment}, ours is not set", took
    if health.environment != environment:
        return Status.FAIL, f"api runs in {health.environment}, not in {environment}", took
    silent = "" if health.db_connected else ", does not report whether it reaches its database"
    return Status.OK, f"api ok {took}", f"SHA {short_sha(health.git_sha)}{silent}"


STEP = NextStep("Deployments of api", "deployments api")

# Endpoint -> commands that need it. A test compares these with our client's calls and the API's endpoints.
NEEDED: Mapping[Endpoint, tuple[str, ...]] = {
    Endpoint("GET", "/api/health"): ("health", "sha", "verify", "prod-gate"),
    Endpoint("GET", "/api/v1/intake/health"): ("health", "verify"),
    Endpoint("GET", "/api/live"): ("deploy", "rollback", "restart"),  # Railway's health check needs it
    Endpoint("POST", "/api/v1/intake/upload"): ("golden-path",),
    Endpoint("GET", "/api/v1/intake/batches/{batch_id}"): ("golden-path",),
}


# The endpoints that the client of each other system's API calls, for both of its versions.
NEEDED_BY_SYSTEM: Mapping[str, Mapping[Endpoint, tuple[str, ...]]] = {
    RUNBOOK.name: NEEDED,
    CIVIL.name: {
        Endpoint("GET", "/api/health"): ("health", "sha", "verify", "prod-gate"),
        Endpoint("GET", "/readyz"): ("health", "verify", "prod-gate"),
        Endpoint("GET", "/health"): ("sha", "verify"),
        Endpoint("GET", "/api/v1/intake/state"): ("health", "verify"),
        Endpoint("POST", "/api/v1/intake/upload"): ("golden-path",),
        Endpoint("GET", "/api/v1/intake/batch/{batch_id}"): ("golden-path",),
    },
}


def check_endpoints(endpoints: Set[Endpoint] | Unavailable, system: System) -> list[Finding]:
    """One finding per missing endpoint, `drift.endpoint.<path>`; a single one if all exist or that is unknown."""
    if isinstance(endpoints, Unavailable):
        title = "endpoints of the API unknown"
        return [Finding("drift.endpoints", Status.UNKNOWN, title, endpoints.why, system.api, next_step=STEP)]
    needed = NEEDED_BY_SYSTEM.get(system.name, {})
    if not needed:
        title = f"which endpoints the system {system.name} needs is unknown"
        return [Finding("drift.endpoints", Status.UNKNOWN, title, "", system.api, next_step=STEP)]
    missing = [endpoint for endpoint in needed if _shape(endpoint) not in set(map(_shape, endpoints))]
    if not missing:
        return [Finding("drift.endpoints", Status.OK, f"all {len(needed)} endpoints are there", "", system.api)]
    return [_gone(endpoint, needed[endpoint], system) for endpoint in missing]


def _shape(endpoint: Endpoint) -> Endpoint:
    """The endpoint without the names of its parameters."""
    return Endpoint(endpoint.method, re.sub(r"\{[^}]*\}", "{}", endpoint.path))


def _gone(endpoint: Endpoint, commands: Sequence[str], system: System) -> Finding:
    return Finding(
        f"drift.endpoint.{endpoint.path}",
        Status.FAIL,
        f"the API has no {endpoint.method} {endpoint.path}",
        f"affects {', '.join(commands)}",
        system.api,
        {"endpoint": list(endpoint), "commands": list(commands)},
        STEP,
    )


INTAKE_STEP = NextStep("Look at the intake", "intake")


def check_intake(health: IntakeHealth | Unavailable, *, others_answer: bool = False, system: System) -> list[Finding]:
    """One finding: `intake.health`. `others_answer` as in `api.Facts`."""
    if isinstance(health, Unavailable):
        return [judge_silence("intake", health, others_answer=others_answer, system=system)]
    evidence = {
        "http_status": health.http_status,
        "status": health.status,
        "db_connected": health.db_connected,
        "pending_jobs": health.pending_jobs,
        "elapsed_ms": round(health.elapsed_ms),
    }
    took = f"in {health.elapsed_ms:.0f} ms"
    if health.is_ok:
        if system.uploader is not None:
            return [Finding("intake.health", Status.OK, f"intake ok {took}", "", system.api, evidence)]
        doubt = "does not prove that rows are stored"  # the API may complete an upload without storing a row
        return [Finding("intake.health", Status.OK, f"intake answers {took}", doubt, system.api, evidence)]
    detail = took if health.db_connected is not False else f"{took}, it does not reach its database"
    title = f"intake answers {health.http_status} with status {health.status}"
    return [Finding("intake.health", Status.FAIL, title, detail, system.api, evidence, INTAKE_STEP)]
