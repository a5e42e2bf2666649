"""What is wrong, what is it probably, and what is to be done? (runbook, "Troubleshooting", "Debug Commands")

When:   an alert or `health` says that something is wrong, and the logs alone do not tell what.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from playbooks import env, health
from playbooks._contract import Finding, NextStep, Status, worst, wrong_first
from playbooks._troubleshooting import Symptom, explain
from playbooks.checks import claiming, drift, endpoints, failures, logs, roles, security
from services.domain.drift import SchemaDrift
from services.domain.errors import Unavailable
from services.domain.health import Endpoint
from services.domain.jobs import FailedJob
from services.domain.security import Exposure
from services.domain.server import SessionRole
from services.domain.services import Service
from services.domain.words import counted

TITLES_LENGTH = 70  # characters of what is fine in one area: two lines on a phone

# Area -> the first words of the names of its checks, in the order in which one area's trouble causes another's.
AREAS: Mapping[str, tuple[str, ...]] = {
    "Database": ("database",),
    "Drift": ("drift",),
    "API": ("api", "intake"),
    "Deployments": ("deployment", "lock", "sha"),
    "Workers": ("heartbeats", "workers", "claiming", "roles"),
    "Queue": ("queue",),
    "Logs": ("logs",),
    "Security": ("security",),
    "Variables": ("env",),
    "Bot": ("bot",),
}
_SYMPTOMS = {
    "heartbeats": Symptom.STALE_HEARTBEAT,
    "claiming": Symptom.NOT_CLAIMING,
    "roles": Symptom.PERMISSION_DENIED,
}
_AREA_OF = {word: area for area, words in AREAS.items() for word in words}


@dataclass(frozen=True)
class Facts:
    """Health's and env's facts, and what only the doctor looks at. `failed`: jobs of the last hour."""

    health: health.Facts
    env: env.Facts
    claiming: claiming.Facts
    failed: Sequence[FailedJob] | Unavailable
    roles: Sequence[SessionRole] | Unavailable
    logs: Sequence[logs.Facts]
    drift: SchemaDrift | Unavailable
    endpoints: Set[Endpoint] | Unavailable
    exposures: Sequence[Exposure] | Unavailable


def check(facts: Facts) -> list[Finding]:
    """A finding for each thing that is wrong, with its row of the troubleshooting table; one an area that is fine.

    What is unknown is one finding an area too: a silent source hides a dozen checks at once.
    """
    found: dict[str, list[Finding]] = {area: [] for area in AREAS}
    for finding in _look(facts):
        found[_AREA_OF[finding.check.split(".")[0]]].append(finding)
    return [line for area, findings in found.items() for line in _lines(area, findings)]


def _look(facts: Facts) -> Iterator[Finding]:
    yield from health.check(facts.health)
    yield from claiming.check(facts.claiming)
    yield from roles.check(facts.roles)
    yield from failures.check(facts.failed)
    for log in facts.logs:
        yield from _log(log)
    yield from drift.check(facts.drift)
    yield from endpoints.check(facts.endpoints)
    yield from _security(security.check(facts.exposures))
    for service, findings in env.check(facts.env).items():
        yield _variables(service, findings)


def _lines(area: str, findings: Sequence[Finding]) -> Iterator[Finding]:
    wrong = [finding for finding in findings if finding.status in (Status.FAIL, Status.WARN)]
    unknown = [finding for finding in findings if finding.status is Status.UNKNOWN]
    yield from map(_diagnose, wrong)
    if unknown:
        more = f" ({len(unknown) - 1} more unknown)" if len(unknown) > 1 else ""
        yield Finding(
            f"doctor.{area.lower()}",
            Status.UNKNOWN,
            f"{area}: {unknown[0].title}{more}",
            unknown[0].detail,
            unknown[0].service,
            {finding.check: finding.detail for finding in unknown},
            unknown[0].next_step,
        )
    if findings and not wrong and not unknown:
        evidence = {finding.check: finding.title for finding in findings}
        detail = _shortly([finding.title for finding in findings])
        yield Finding(f"doctor.{area.lower()}", Status.OK, area, detail, evidence=evidence)


def _shortly(titles: Sequence[str]) -> str:
    """As many as fit, at least one; the others are counted."""
    shown = [title for n, title in enumerate(titles) if n == 0 or len("; ".join(titles[: n + 1])) <= TITLES_LENGTH]
    more = [f"{len(titles) - len(shown)} more"] if len(shown) < len(titles) else []
    return "; ".join([*shown, *more])


def _diagnose(finding: Finding) -> Finding:
    """With its row of the table, unless it has one already or the table has none for it."""
    symptom = None if "symptom" in finding.evidence else _symptom(finding)
    if symptom is None:
        return finding
    told = explain(finding, symptom)
    # What lacks a right is not mended in anybody's variables.
    return replace(told, next_step=finding.next_step) if finding.check.startswith("drift.") else told


def _symptom(finding: Finding) -> Symptom | None:
    """The row that the check's own name leads to, or what it saw."""
    kind, _, what = finding.check.partition(".")
    if kind in ("api", "intake"):
        return Symptom.API_503 if _is_server_error(finding) else None
    if kind == "deployment" and finding.status is Status.FAIL:
        return Symptom.API_503 if finding.service is Service.API else Symptom.CRASH_LOOP
    if kind == "workers" and finding.status is Status.FAIL:
        return Symptom.CRASH_LOOP if finding.evidence.get("status") == "error" else Symptom.NOT_CLAIMING
    return Symptom.PERMISSION_DENIED if kind == "drift" and what.startswith("rights.") else _SYMPTOMS.get(kind)


def _is_server_error(finding: Finding) -> bool:
    status = finding.evidence.get("http_status")
    return isinstance(status, int) and status >= 500


def _log(facts: logs.Facts) -> Iterator[Finding]:
    """What shows success is for `logs`; here it is enough that nothing shows a failure."""
    findings = logs.check(facts)
    wrong = [finding for finding in findings if finding.status is not Status.OK]
    short = facts.service.short
    fine = Finding(f"logs.{short}", Status.OK, f"{short} logs no failure", "", facts.service)
    yield from wrong or [fine]


def _security(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Counted only: the answer may be read by many, and the audit's own is for the asker."""
    wrong = [finding for finding in findings if finding.status is not Status.OK]
    if not wrong or worst(wrong) is Status.UNKNOWN:
        yield from findings
        return
    title = f"{counted(len(wrong), 'kind')} of exposure in the database"
    evidence = {"kinds": [finding.check for finding in wrong]}
    yield Finding("security.audit", worst(wrong), title, evidence=evidence, next_step=security.STEP)


def _variables(service: Service, findings: Sequence[Finding]) -> Finding:
    """One line for all of them; their values are shown nowhere."""
    name, short = f"env.{service.short}", service.short
    wrong = [finding for finding in findings if finding.status is not Status.OK]
    if not wrong:
        return Finding(name, Status.OK, f"{short} has its variables", "", service)
    first = wrong_first(wrong)[0]
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    title = f"{short}: {first.title}{more}"
    step = NextStep(f"Variables of {short}", f"env {short}")
    return Finding(name, worst(findings), title, first.detail, service, {"checks": [one.check for one in wrong]}, step)
