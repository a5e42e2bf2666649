"""Report every problem with its cause and the next step (runbook, "Troubleshooting", "Debug Commands")

When:   an alert or `health` says that something is wrong, and the logs alone do not show what.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from playbooks import env, health
from playbooks.checks import api, drift, logs, outcomes, queue, security
from playbooks.log_patterns import Symptom, explain
from playbooks.model import Finding, NextStep, Status, worst, wrong_first
from playbooks.root_causes import Diagnosed
from services.domain.database import Exposure, SchemaDrift, SessionRole
from services.domain.errors import Unavailable
from services.domain.health import Endpoint
from services.domain.jobs import FailedJob
from services.domain.services import Service
from services.domain.text import counted

TITLES_LENGTH = 70  # characters for the titles without a problem in one area: two lines on a phone

# Area -> the first words of its checks' names. The problems of an area may cause those of later areas.
AREAS: Mapping[str, tuple[str, ...]] = {
    "Database": ("database",),
    "Drift": ("drift",),
    "API": ("api", "intake"),
    "Deployments": ("deployment", "lock", "freeze", "sha"),
    "Workers": ("heartbeats", "workers", "claiming", "roles"),
    "Queue": ("queue",),
    "Logs": ("logs",),
    "Security": ("security",),
    "Variables": ("env",),
    "Bot": ("bot",),
}
_SYMPTOMS = {
    "claiming": Symptom.NOT_CLAIMING,
    "roles": Symptom.PERMISSION_DENIED,
}
_WRONG = frozenset({Status.FAIL, Status.WARN})
_AREA_OF = {word: area for area, words in AREAS.items() for word in words}


@dataclass(frozen=True)
class Facts:
    """The facts of `health` and `env`, and those that only `doctor` reads. `failed`: jobs of the last hour."""

    health: health.Facts
    env: env.Facts
    claiming: queue.ClaimingFacts
    failed: Sequence[FailedJob] | Unavailable
    roles: Sequence[SessionRole] | Unavailable
    logs: Sequence[logs.Facts]
    drift: SchemaDrift | Unavailable
    endpoints: Set[Endpoint] | Unavailable
    exposures: Sequence[Exposure] | Unavailable


@dataclass(frozen=True)
class Report:
    """`diagnosed`: every finding, under the cause that explains it. `past`: problems that are over. `areas`: one line
    per area with an unknown fact, and per area without a problem."""

    diagnosed: Diagnosed
    past: tuple[Finding, ...]
    areas: tuple[Finding, ...]

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The problems that no cause explains, with their rows of the troubleshooting table if the evidence exists."""
        return tuple(finding for finding in self.diagnosed.rest if finding.status in _WRONG)

    @property
    def unknown(self) -> tuple[Finding, ...]:
        """One finding per area with an unknown fact: a silent source hides a dozen checks at once."""
        return tuple(finding for finding in self.areas if finding.status is Status.UNKNOWN)

    @property
    def fine(self) -> tuple[Finding, ...]:
        """The areas without a problem."""
        return tuple(finding for finding in self.areas if finding.status is Status.OK)

    @property
    def findings(self) -> list[Finding]:
        """All lines: causes with the findings that follow from them, other problems, unknowns, past problems, and areas
        without a problem."""
        explained = [one for item in self.diagnosed.diagnoses for one in (item.finding, *item.follows)]
        return [*explained, *self.wrong, *self.unknown, *self.past, *self.fine]

    @property
    def status(self) -> Status:
        return self.diagnosed.status


def as_stored(facts: Facts) -> Facts:
    """The same facts for a report that is read later: with clock times, because an age would become wrong."""
    return replace(
        facts,
        health=replace(facts.health, stored=True),
        claiming=replace(facts.claiming, stored=True),
        logs=[replace(one, stored=True) for one in facts.logs],
    )


def report(facts: Facts) -> Report:
    """The problems and their causes, each cause before the findings that follow from it."""
    found = list(map(_with_row, _checks(facts)))
    diagnosed = health.diagnose_with(facts.health, found)
    areas: dict[str, list[Finding]] = {area: [] for area in AREAS}
    for finding in diagnosed.rest:
        areas[_area(finding)].append(finding)
    busy = {_area(one) for item in diagnosed.diagnoses for one in (item.finding, *item.follows)}
    lines = [line for area, findings in areas.items() if (line := _line(area, findings, is_busy=area in busy))]
    return Report(diagnosed, tuple(one for one in diagnosed.rest if one.was_wrong), tuple(lines))


def _area(finding: Finding) -> str:
    return _AREA_OF[finding.check.split(".")[0]]


def _checks(facts: Facts) -> Iterator[Finding]:
    seen = health.check(facts.health)
    yield from seen
    yield from queue.check_claiming(facts.claiming)
    yield from security.check_roles(facts.roles, facts.health.system)
    yield from outcomes.check(facts.failed, facts.health.system)
    for log in facts.logs:
        yield from _log(replace(log, is_well=_is_well(seen, log.service)))
    yield from drift.check(facts.drift)
    yield from api.check_endpoints(facts.endpoints, facts.health.system)
    yield from _security(security.check(facts.exposures, facts.health.system))
    for service, findings in env.check(facts.env).items():
        yield _variables(service, findings)


def _line(area: str, findings: Sequence[Finding], *, is_busy: bool) -> Finding | None:
    """An area's line; None for an area with a problem, which has lines of its own."""
    unknown = [finding for finding in findings if finding.status is Status.UNKNOWN]
    if unknown:
        more = f" ({len(unknown) - 1} more unknown)" if len(unknown) > 1 else ""
        return Finding(
            f"doctor.{area.lower()}",
            Status.UNKNOWN,
            f"{area}: {unknown[0].title}{more}",
            unknown[0].detail,
            unknown[0].service,
            {finding.check: finding.detail for finding in unknown},
            unknown[0].next_step,
        )
    if not findings or is_busy or any(finding.status in _WRONG for finding in findings):
        return None
    evidence = {finding.check: finding.title for finding in findings}
    detail = _shortly([finding.title for finding in findings if not finding.was_wrong])
    return Finding(f"doctor.{area.lower()}", Status.OK, area, detail, evidence=evidence)


def _shortly(titles: Sequence[str]) -> str:
    """As many titles as fit, at least one, and the number of the others."""
    shown = [title for n, title in enumerate(titles) if n == 0 or len("; ".join(titles[: n + 1])) <= TITLES_LENGTH]
    more = [f"{len(titles) - len(shown)} more"] if len(titles) > len(shown) else []
    return "; ".join([*shown, *more])


def _with_row(finding: Finding) -> Finding:
    """The finding with its row of the troubleshooting table, if it has none yet and its evidence is there."""
    is_explained = finding.status not in _WRONG or "symptom" in finding.evidence
    symptom = None if is_explained else _symptom(finding)
    if symptom is None:
        return finding
    explained = explain(finding, symptom)
    # A missing permission is not fixed in any variable.
    return replace(explained, next_step=finding.next_step) if finding.check.startswith("drift.") else explained


def _symptom(finding: Finding) -> Symptom | None:
    """The row that fits the check's evidence. A crash alone is no crash loop: only the log shows that."""
    kind, _, what = finding.check.partition(".")
    if kind in ("api", "intake"):
        return Symptom.API_503 if _is_server_error(finding) else None
    if kind == "workers":
        return Symptom.UNREACHABLE if finding.evidence.get("database_ok") is False else None
    if kind == "heartbeats":
        return Symptom.STALE_HEARTBEAT if finding.evidence.get("stale") else None
    return Symptom.PERMISSION_DENIED if kind == "drift" and what.startswith("rights.") else _SYMPTOMS.get(kind)


def _is_server_error(finding: Finding) -> bool:
    """True for a server error; False if the API itself reports that it lacks its database, which is another cause."""
    status = finding.evidence.get("http_status")
    return isinstance(status, int) and status >= 500 and finding.evidence.get("db_connected") is not False


def _is_well(seen: Sequence[Finding], service: Service) -> bool:
    """True if the live checks of a service find no problem."""
    live = ("api.health", "intake.health", f"heartbeats.{service.short}", f"workers.{service.short}")
    own = [finding for finding in seen if finding.check in live and finding.service is service]
    return bool(own) and all(finding.status is Status.OK for finding in own)


def _log(facts: logs.Facts) -> Iterator[Finding]:
    """Findings about failures only; signs of success are for `logs`."""
    findings = logs.check(facts)
    wrong = [finding for finding in findings if finding.status is not Status.OK or finding.was_wrong]
    short = facts.service.short
    fine = Finding(f"logs.{short}", Status.OK, f"{short} logs no failure", "", facts.service)
    yield from wrong or [fine]


def _security(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Only the number of exposures: many people may read this answer, and the audit's own is for its requester."""
    wrong = [finding for finding in findings if finding.status is not Status.OK]
    if not wrong or worst(wrong) is Status.UNKNOWN:
        yield from findings
        return
    title = f"{counted(len(wrong), 'kind')} of exposure in the database"
    evidence = {"kinds": [finding.check for finding in wrong]}
    yield Finding("security.audit", worst(wrong), title, evidence=evidence, next_step=security.STEP)


def _variables(service: Service, findings: Sequence[Finding]) -> Finding:
    """One line for all variables of a service; their values are shown nowhere."""
    name, short = f"env.{service.short}", service.short
    wrong = [finding for finding in findings if finding.status is not Status.OK]
    if not wrong:
        return Finding(name, Status.OK, f"{short} has its variables", "", service)
    first = wrong_first(wrong)[0]
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    title = f"{short}: {first.title}{more}"
    step = NextStep(f"Variables of {short}", f"env {short}")
    return Finding(name, worst(findings), title, first.detail, service, {"checks": [one.check for one in wrong]}, step)
