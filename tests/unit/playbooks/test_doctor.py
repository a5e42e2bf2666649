"""The doctor's report: problems with their cause and remedy, and one line per healthy area."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from playbooks import env, log_patterns
from playbooks.checks import (
    api,
    bot,
    database,
    deployments,
    drift,
    heartbeats,
    logs,
    migrations,
    outcomes,
    queue,
    security,
    sha,
    workers,
)
from playbooks.checks.api import NEEDED
from playbooks.doctor import AREAS, TITLES_LENGTH, Facts, report
from playbooks.log_patterns import CIVIL, ROWS, Symptom
from playbooks.model import Finding, Status, worst
from services.domain.database import Exposure, MissingRight, SchemaDrift, SessionRole
from services.domain.deployments import LogLine
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.jobs import FailedJob
from services.domain.secrets import Secret
from services.domain.services import Service, WorkerType
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits
from tests.freezes import new_freeze
from tests.unit.playbooks.healthy import HEALTHY, NOW, SHA, VARIABLES, beat, serving

IDLE_LOG = (LogLine(NOW, "info", "[ingest_processor] No pending jobs found (idle)"),)
COMMANDS = {
    Service.API: "python -m services.api",
    Service.INGEST: "python -m services.ingest_worker",
    Service.ENFORCEMENT: "python -m services.enforcement_worker",
}
WELL = Facts(
    health=HEALTHY,
    env=env.Facts(
        variables={service: {name: Secret(value) for name, value in VARIABLES.items()} for service in RUNBOOK.services},
        services={service: replace(serving(service), start_command=COMMANDS[service]) for service in RUNBOOK.services},
        railway_environment="production",
        bot_environment="prod",
        now=NOW,
        system=RUNBOOK,
    ),
    claiming=queue.ClaimingFacts(
        NOW,
        StaleLimits(timedelta(minutes=5)),
        HEALTHY.heartbeats,
        dict.fromkeys(RUNBOOK.services),
        system=RUNBOOK,
    ),
    failed=(),
    roles=(SessionRole("dragonfly-api", "dragonfly_app"),),
    logs=[logs.Facts(service, IDLE_LOG, NOW, patterns=log_patterns.RUNBOOK) for service in RUNBOOK.services],
    drift=SchemaDrift(100),
    endpoints=NEEDED.keys(),
    exposures=(),
)


def wrong(facts: Facts) -> list[Finding]:
    return [finding for finding in report(facts).findings if finding.status is not Status.OK]


def test_without_problem_each_area_is_one_line() -> None:
    found = report(WELL).findings

    assert worst(found) is Status.OK
    assert [finding.title for finding in found] == list(AREAS)


def logging(message: str, service: Service = Service.INGEST) -> Facts:
    return replace(
        WELL, logs=[logs.Facts(service, (LogLine(NOW, "error", message),), NOW, patterns=log_patterns.RUNBOOK)]
    )


def beating(**changes: Any) -> Facts:
    ill = replace(beat(WorkerType.INGEST), **changes)
    return replace(WELL, health=replace(HEALTHY, heartbeats=(ill, beat(WorkerType.ENFORCEMENT))))


NOTHING = "[1a2b3c4d] Inserted 0/3 judgments"
TROUBLES: dict[str, tuple[Facts, Symptom]] = {
    "the API answers 503": (
        replace(WELL, health=replace(HEALTHY, api=ApiHealth(503, "degraded", "prod", SHA, True, NOW, 9))),
        Symptom.API_503,
    ),
    "an edge answers for the API": (
        replace(WELL, health=replace(HEALTHY, api=Unavailable("API", "HTTP 502", 502))),
        Symptom.API_503,
    ),
    "idle workers leave a job": (
        replace(WELL, claiming=replace(WELL.claiming, due={Service.INGEST: NOW - timedelta(minutes=2)})),
        Symptom.NOT_CLAIMING,
    ),
    "a worker's own sessions do not work": (beating(database_ok=False), Symptom.UNREACHABLE),
    "a log tells of a missing function": (
        logging("claim_pending_job: function ops.claim_pending_job does not exist"),
        Symptom.MISSING_OBJECT,
    ),
    "jobs failed in a failed transaction": (
        replace(WELL, failed=(FailedJob("j", "simplicity_ingest", 5, "InFailedSqlTransaction", NOW),)),
        Symptom.FAILED_TRANSACTION,
    ),
    "a log tells of a failed transaction": (
        logging("[ingest_processor] Job failed: InFailedSqlTransaction"),
        Symptom.FAILED_TRANSACTION,
    ),
    "the app lacks a right": (
        replace(WELL, drift=SchemaDrift(9, missing=(MissingRight("dragonfly_app", "INSERT", "ops.x", ("worker",)),))),
        Symptom.PERMISSION_DENIED,
    ),
    "a process has the wrong role": (
        replace(WELL, roles=(SessionRole("dragonfly-worker-ingest:1", "postgres"),)),
        Symptom.PERMISSION_DENIED,
    ),
    "a log tells that no connection is left": (
        logging("FATAL: remaining connection slots are reserved"),
        Symptom.NO_CONNECTIONS,
    ),
    "a log tells of a crash loop": (
        logging("[ingest_processor] CRITICAL: Crash loop detected after 10 failures"),
        Symptom.CRASH_LOOP,
    ),
    "a log tells that nothing was stored": (
        replace(WELL, logs=[logs.Facts(Service.INGEST, (LogLine(NOW, "info", NOTHING),), NOW, patterns=CIVIL)]),
        Symptom.NOTHING_STORED,
    ),
    "a heartbeat is stale": (beating(last_heartbeat_at=NOW - timedelta(minutes=6)), Symptom.STALE_HEARTBEAT),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_problem_comes_with_its_row_of_the_table(trouble: str) -> None:
    facts, symptom = TROUBLES[trouble]

    [finding] = [finding for finding in wrong(facts) if finding.evidence.get("symptom") == symptom]

    assert finding.status in (Status.FAIL, Status.WARN)
    assert finding.next_step is not None


def test_doctor_shortens_ok_details_for_a_phone_and_counts_the_rest() -> None:
    details = {finding.title: finding.detail for finding in report(WELL).findings}

    assert max(map(len, details.values())) <= TITLES_LENGTH + len("…; 99 more")
    assert details["Variables"] == "api has its variables; ingest has its variables; 1 more"


def test_freezes_of_one_service_and_of_all_belong_to_the_deployments() -> None:
    frozen = [new_freeze(NOW), new_freeze(NOW, id=4, service=None)]

    found = {
        finding.title: finding for finding in report(replace(WELL, health=replace(HEALTHY, freezes=frozen))).findings
    }

    assert found.keys() == {finding.title for finding in report(WELL).findings}
    assert {"freeze.3", "freeze.4"} <= found["Deployments"].evidence.keys()


def test_every_check_that_the_doctor_asks_has_its_area() -> None:
    """A check without an area would break the doctor, every diagnosis and every answer of `ask`."""
    asked = (
        api,
        bot,
        database,
        deployments,
        drift,
        heartbeats,
        logs,
        migrations,
        outcomes,
        queue,
        security,
        sha,
        workers,
    )
    areas = {word for words in AREAS.values() for word in words}
    written = {
        word
        for module in asked
        for word in re.findall(
            r"""(?:check=|name(?:, \w+)* = |Finding\(\s*)f?"([a-z_]+)\.""", inspect.getsource(module)
        )
    }

    assert {"api", "freeze", "lock", "sha"} < written
    assert written - areas == {"jobs"}, "`jobs` is of the alerts only"


def test_every_row_of_the_table_is_reached() -> None:
    assert {symptom for _, symptom in TROUBLES.values()} == set(Symptom) == set(ROWS)


def test_a_stale_worker_is_stopped_and_started_by_a_button() -> None:
    [finding] = wrong(TROUBLES["a heartbeat is stale"][0])

    assert finding.next_step is not None
    assert finding.next_step.command == "restart ingest --through-zero"


def test_an_exposure_is_counted_and_shown_to_the_requester_only() -> None:
    [finding] = wrong(replace(WELL, exposures=(Exposure("grants", "ops.job_queue", "anon", "SELECT"),)))

    assert finding.title.startswith("1 kind of exposure")
    assert "ops.job_queue" not in f"{finding}"
    assert finding.next_step is not None
    assert finding.next_step.command == "security-audit"


def test_variables_are_one_line_a_service() -> None:
    assert not isinstance(WELL.env.variables[Service.API], Unavailable)
    broken = replace(WELL.env, variables={**WELL.env.variables, Service.API: {}})

    [finding] = wrong(replace(WELL, env=broken))

    assert finding.title == "api: SUPABASE_MODE is missing, and 6 more"
    assert finding.next_step is not None
    assert finding.next_step.command == "env api"


AWAY = Unavailable("somewhere", "the reason")
MISSING: dict[str, Callable[[Facts], Facts]] = {
    "failed": lambda facts: replace(facts, failed=AWAY),
    "roles": lambda facts: replace(facts, roles=AWAY),
    "drift": lambda facts: replace(facts, drift=AWAY),
    "endpoints": lambda facts: replace(facts, endpoints=AWAY),
    "exposures": lambda facts: replace(facts, exposures=AWAY),
    "claiming": lambda facts: replace(
        facts, claiming=replace(facts.claiming, due=dict.fromkeys(RUNBOOK.services, AWAY))
    ),
    "logs": lambda facts: replace(facts, logs=[logs.Facts(Service.API, AWAY, NOW, patterns=log_patterns.RUNBOOK)]),
    "env": lambda facts: replace(facts, env=replace(facts.env, variables=dict.fromkeys(RUNBOOK.services, AWAY))),
    "health": lambda facts: replace(facts, health=replace(facts.health, queue=AWAY)),
}


@pytest.mark.parametrize("fact", MISSING)
def test_a_missing_fact_makes_its_area_unknown_and_reports_why(fact: str) -> None:
    [finding] = wrong(MISSING[fact](WELL))

    assert (finding.status, finding.detail) == (Status.UNKNOWN, "the reason")


def test_every_fact_is_taken_away_above() -> None:
    assert set(MISSING) == {field.name for field in fields(Facts)}


def test_the_unknowns_of_an_area_are_one_line() -> None:
    blind = replace(HEALTHY, heartbeats=AWAY)

    [finding] = wrong(replace(WELL, health=blind))

    assert finding.title.startswith("Workers: ingest heartbeats unknown (1 more unknown)")
