"""The diagnosis of planted problems: the cause that is named first, and the findings that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from playbooks import doctor, env, health, log_patterns, prod_gate
from playbooks.checks import logs, queue
from playbooks.checks.api import NEEDED
from playbooks.diagnosis import diagnose
from playbooks.last_deploys import RAN_WELL
from playbooks.model import Finding, NextStep, Status
from playbooks.rollback_advice import choose_remedy
from playbooks.root_causes import EXPLAINS, Kind
from playbooks.service_causes import BLAMED_FOR, RAN
from services.domain.database import MigrationStatus, MissingRight, SchemaDrift
from services.domain.deployments import Deployment, DeploymentStatus, Instance, LogLine, ServiceState
from services.domain.errors import Unavailable
from services.domain.health import AnsweredWell, ApiHealth, IntakeHealth
from services.domain.services import Service, WorkerType
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits
from tests.unit.playbooks.healthy import HEALTHY, NOW, SHA, beat, serving

MINUTE = timedelta(minutes=1)
AWAY_SINCE = NOW - 8 * MINUTE
BAD = "e9a70d3b" + "0" * 32


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def log(service: Service, *messages: str, minutes: float = 1) -> logs.Facts:
    return logs.Facts(
        service, [LogLine(ago(minutes), "error", one, "r1") for one in messages], NOW, patterns=log_patterns.RUNBOOK
    )


WELL = doctor.Facts(
    health=HEALTHY,
    env=env.Facts({}, HEALTHY.services, "production", "prod", NOW, system=RUNBOOK),
    claiming=queue.ClaimingFacts(
        NOW, HEALTHY.stale_after, HEALTHY.heartbeats, dict.fromkeys(RUNBOOK.services), system=RUNBOOK
    ),
    failed=(),
    roles=(),
    logs=[log(Service.API), log(Service.INGEST, "[ingest_processor] No pending jobs found (idle)")],
    drift=SchemaDrift(100),
    endpoints=NEEDED.keys(),
    exposures=(),
)


def deployed(service: Service, minutes: float, *, crashed: bool = False, sha: str = BAD) -> ServiceState:
    """A service whose newest deployment is this many minutes old."""
    status = DeploymentStatus.CRASHED if crashed else DeploymentStatus.SUCCESS
    instances = () if crashed else (Instance("i1", "RUNNING"),)
    latest = Deployment("d2", status, ago(minutes), commit_sha=sha, instances=instances)
    return replace(serving(service), active=() if crashed else (latest,), latest=latest)


def running(service: Service, count: int, *, wanted: int, crashed: int = 0) -> ServiceState:
    """A service with `count` running instances of `wanted`, and some that crashed."""
    state = serving(service)
    instances = [*(Instance(f"i{n}", "RUNNING") for n in range(count)), *(Instance("x", "CRASHED"),) * crashed]
    one = replace(state.active[0], instances=tuple(instances))
    return replace(state, active=(one,), latest=one, replicas_configured=wanted)


def with_services(seen: health.Facts, *states: ServiceState) -> health.Facts:
    assert not isinstance(seen.services, Unavailable)
    return replace(seen, services={**seen.services, **{state.service: state for state in states}})


def silent(kind: WorkerType, minutes: float) -> health.Facts:
    stale = replace(beat(kind), last_heartbeat_at=ago(minutes))
    others = tuple(one for one in HEALTHY.heartbeats if one.worker_type != kind)  # type: ignore[union-attr]
    return replace(HEALTHY, heartbeats=(stale, *others))


NO_DATABASE = Unavailable("database", "server not reachable")
STOPPED = replace(
    WELL,
    health=replace(
        HEALTHY,
        api=ApiHealth(503, "degraded", "prod", SHA, False, NOW, 9),
        intake=IntakeHealth(503, "degraded", False, None, None, 9),
        server=NO_DATABASE,
        migrations=NO_DATABASE,
        heartbeats=NO_DATABASE,
        queue=NO_DATABASE,
        locks=NO_DATABASE,
        database_since=AWAY_SINCE,
    ),
    claiming=queue.ClaimingFacts(
        NOW, HEALTHY.stale_after, NO_DATABASE, dict.fromkeys(RUNBOOK.services, NO_DATABASE), system=RUNBOOK
    ),
    failed=NO_DATABASE,
    roles=NO_DATABASE,
    logs=[
        log(Service.API, "GET /api/health 503 12 ms", "PostgreSQL connection failed: Connection refused"),
        log(Service.INGEST, "PostgreSQL connection failed: Connection refused"),
        log(
            Service.ENFORCEMENT,
            "heartbeat not written: server not reachable",
            "claim_pending_job: server is shutting down",
        ),
    ],
    drift=NO_DATABASE,
    exposures=NO_DATABASE,
)
NO_RAILWAY = Unavailable("Railway", "no answer within 5 s")
RAILWAY_SILENT = replace(
    WELL,
    health=replace(HEALTHY, services=NO_RAILWAY, expected=dict.fromkeys(RUNBOOK.worker_types, NO_RAILWAY)),
    env=replace(WELL.env, variables=dict.fromkeys(RUNBOOK.services, NO_RAILWAY), services=NO_RAILWAY),
    logs=[logs.Facts(service, NO_RAILWAY, NOW, patterns=log_patterns.RUNBOOK) for service in RUNBOOK.services],
)
GATEWAY = Unavailable("API", "HTTP 502", 502)
API_DOWN = replace(WELL, health=replace(HEALTHY, api=GATEWAY, intake=GATEWAY), endpoints=Unavailable("API", "HTTP 502"))
KILLED = replace(
    WELL, health=with_services(silent(WorkerType.INGEST, 7), running(Service.INGEST, 0, wanted=1, crashed=1))
)
BAD_DEPLOY = replace(
    WELL,
    health=with_services(silent(WorkerType.INGEST, 7), deployed(Service.INGEST, 7, crashed=True)),
    logs=[log(Service.INGEST, "FileNotFoundError: no such file")],
)
DENIED = replace(
    WELL,
    health=replace(HEALTHY, api=ApiHealth(503, "degraded", "prod", SHA, True, NOW, 9)),
    claiming=replace(WELL.claiming, due={Service.INGEST: ago(3)}),
    drift=SchemaDrift(
        9,
        missing=(
            MissingRight("dragonfly_app", "INSERT", "ops.job_queue", ("the workers, queue, throughput",)),
            MissingRight("dragonfly_app", "SELECT", "public.judgments", ("ingest",)),
        ),
    ),
    logs=[log(Service.INGEST, "claim_pending_job: permission denied for function claim_pending_job")],
)
NOT_MIGRATED = replace(
    WELL,
    health=replace(HEALTHY, migrations=MigrationStatus((), ("20251205000100_x", "20251205000101_y"), (), ())),
    drift=SchemaDrift(
        9,
        missing=(
            MissingRight("dragonfly_app", "EXECUTE", "ops.claim_pending_job", ("the workers, queue, throughput",)),
        ),
    ),
    logs=[log(Service.INGEST, 'relation "ops.memos" does not exist')],
)


@dataclass(frozen=True)
class Case:
    """A planted problem with its expected cause. `follows`: how many findings follow from it."""

    facts: doctor.Facts
    kind: Kind
    title: str
    since: datetime | None
    step: NextStep
    follows: int


CASES = {
    "Postgres stopped": Case(
        STOPPED, Kind.DATABASE, "The database has not answered", AWAY_SINCE,
        NextStep("Supabase's status", url="https://status.supabase.com"), 15,
    ),
    "Railway silent": Case(
        RAILWAY_SILENT, Kind.RAILWAY, "Railway does not answer", None,
        NextStep("Railway's status", url="https://status.railway.com"), 8,
    ),
    "API down": Case(
        API_DOWN, Kind.API, "api answers HTTP 502", None, NextStep("Restart api", "restart api"), 2
    ),
    "worker killed": Case(
        KILLED, Kind.WORKER, "ingest is down (0 of 1)", ago(7),
        NextStep("Restart ingest", "restart ingest --through-zero"), 1,
    ),
    "bad deploy crashing at start": Case(
        BAD_DEPLOY, Kind.DEPLOY, "deploy e9a70d3b of ingest crashes at start (FileNotFoundError)", ago(7),
        NextStep("Roll back ingest…", "rollback ingest"), 2,
    ),
    "permissions taken away": Case(
        DENIED, Kind.PERMISSIONS, "dragonfly_app lacks INSERT on ops.job_queue, and 1 more object", None,
        NextStep("Show migrations", "migrations"), 4,
    ),
    "migrations missing": Case(
        NOT_MIGRATED, Kind.MIGRATIONS, "2 migrations not applied, and the code needs them", None,
        NextStep("Show migrations", "migrations"), 2,
    ),
}  # fmt: skip


def seen(facts: doctor.Facts) -> doctor.Report:
    return doctor.report(facts)


def wrong(findings: Sequence[Finding]) -> list[str]:
    return [one.title for one in findings if one.status is not Status.OK]


@pytest.mark.parametrize("name", CASES)
def test_the_doctor_names_one_cause_and_everything_else_follows_from_it(name: str) -> None:
    case = CASES[name]

    report = seen(case.facts)

    [diagnosis] = report.diagnosed.diagnoses
    assert (diagnosis.cause.kind, diagnosis.finding.title) == (case.kind, case.title)
    assert diagnosis.cause.since == case.since
    assert diagnosis.finding.next_step == case.step
    assert wrong(report.diagnosed.rest) == []
    assert len(diagnosis.follows) == case.follows, [one.check for one in diagnosis.follows]


@pytest.mark.parametrize("name", CASES)
def test_health_names_the_same_cause(name: str) -> None:
    case = CASES[name]
    reported = health.report(case.facts.health)

    if case.kind in (Kind.PERMISSIONS, Kind.MIGRATIONS):
        return  # only the doctor checks rights and the schema that the code needs
    assert reported.cause is not None
    assert reported.cause.kind is case.kind
    assert reported.wrong == ()


def test_the_only_red_finding_without_evidence_of_others_stays_unknown() -> None:
    """The API does not answer either, so the cause may be the bot's own network."""
    quiet = Unavailable("API", "no answer within 5 s")

    reported = health.report(replace(STOPPED.health, api=quiet, intake=quiet))

    assert reported.status is Status.UNKNOWN
    assert reported.cause is not None
    assert reported.cause.kind is Kind.DATABASE
    assert "database" in reported.headline


def test_a_bot_that_alone_is_cut_off_does_not_report_the_database_as_down() -> None:
    report = seen(replace(STOPPED, health=replace(STOPPED.health, api=HEALTHY.api, intake=HEALTHY.intake), logs=[]))

    [diagnosis] = report.diagnosed.diagnoses
    assert diagnosis.cause.kind is Kind.NO_ACCESS
    assert diagnosis.finding.title.startswith("Only the bot")
    assert "SUPABASE_DB_URL" in diagnosis.finding.detail
    assert report.status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("why", "title", "command"),
    [
        ("password refused", "The database refuses the bot's login", "check-config"),
        ("no such database or role", "The database refuses the bot's login", "check-config"),
        ("this role may not log in (NOLOGIN)", "The database refuses the bot's login", "check-config"),
        ("the pooler's allow-list does not have our address", "The database refuses the bot's login", "check-config"),
        ("too many connections", "The database has no free connection", "heartbeats"),
        (
            "the pooler found no free connection in time (checkout timeout)",
            "The database has no free connection",
            "heartbeats",
        ),
        ("server is starting up", "The database is restarting", "health"),
        ("server is not accepting connections now", "The database is restarting", "health"),
        ("not configured: SUPABASE_DB_URL", "The bot", "check-config"),
    ],
)
def test_the_advice_fits_the_class_of_the_error(why: str, title: str, command: str) -> None:
    server = Unavailable("database", why)
    facts = replace(STOPPED.health, server=server)

    [diagnosis] = health.report(facts).diagnoses

    assert diagnosis.finding.title.startswith(title)
    assert diagnosis.finding.next_step is not None
    assert diagnosis.finding.next_step.command == command
    assert "grants" not in f"{diagnosis.finding}"


def test_a_database_that_only_the_api_can_t_reach_is_not_down() -> None:
    api = ApiHealth(503, "degraded", "prod", SHA, False, NOW, 9)

    [diagnosis] = health.report(replace(HEALTHY, api=api)).diagnoses

    assert diagnosis.finding.title.startswith("api ")
    assert diagnosis.finding.title.endswith("the bot does")
    assert diagnosis.finding.next_step == NextStep("Variables of api", "env api")


def test_a_database_without_writes_explains_workers_and_api_that_fail() -> None:
    assert not isinstance(HEALTHY.server, Unavailable)
    full = replace(HEALTHY.server, refuses_writes="no space left on device")
    api = ApiHealth(503, "degraded", "prod", SHA, True, NOW, 9)

    [diagnosis] = health.report(replace(silent(WorkerType.INGEST, 7), server=full, api=api)).diagnoses

    assert diagnosis.cause.kind is Kind.NO_WRITES
    assert [one.check for one in diagnosis.follows] == ["api.health", "heartbeats.ingest"]


@pytest.mark.parametrize(("minutes", "kind"), [(0.0, Kind.DEPLOY), (0.1, Kind.WORKER)])
def test_a_deploy_is_blamed_for_half_an_hour(minutes: float, kind: Kind) -> None:
    old = deployed(Service.INGEST, BLAMED_FOR / MINUTE + minutes, crashed=True)

    reported = health.report(with_services(silent(WorkerType.INGEST, 7), old))

    assert reported.cause is not None
    assert reported.cause.kind is kind


def test_an_api_that_fails_after_its_deploy_is_rolled_back() -> None:
    facts = with_services(replace(HEALTHY, api=GATEWAY, intake=GATEWAY), deployed(Service.API, 9))

    [diagnosis] = health.report(facts).diagnoses

    assert diagnosis.finding.title == "deploy e9a70d3b of api does not work"
    assert diagnosis.finding.next_step == NextStep("Roll back api…", "rollback api")


@pytest.mark.parametrize(("seconds", "kind"), [(60, Kind.DEPLOY), (61, Kind.WORKER)])
def test_a_deploy_is_not_blamed_for_workers_that_were_silent_before_it(seconds: int, kind: Kind) -> None:
    facts = with_services(silent(WorkerType.INGEST, 7 + seconds / 60), deployed(Service.INGEST, 7))

    reported = health.report(facts)

    assert reported.cause is not None
    assert reported.cause.kind is kind


def beat_until(minutes: float, *, started: float, sha: str | None = BAD) -> health.Facts:
    """An ingest worker that started `started` min ago and sent its last heartbeat `minutes` ago."""
    last = replace(
        beat(WorkerType.INGEST), last_heartbeat_at=ago(minutes), started_at=ago(started), git_sha=sha and sha[:8]
    )
    others = tuple(one for one in HEALTHY.heartbeats if one.worker_type != WorkerType.INGEST)  # type: ignore[union-attr]
    return replace(HEALTHY, heartbeats=(last, *others), stale_after=StaleLimits(timedelta(seconds=15)))


def test_a_worker_that_was_killed_minutes_after_its_deploy_is_restarted() -> None:
    facts = with_services(beat_until(1 / 3, started=1.9), deployed(Service.INGEST, 2, crashed=True))

    [diagnosis] = health.report(facts).diagnoses

    assert diagnosis.cause.kind is Kind.WORKER
    assert diagnosis.finding.title == "ingest is down (0 of 1)"
    assert "process has died" in diagnosis.finding.detail
    assert choose_remedy(diagnosis, ()) == NextStep("Restart ingest", "restart ingest --through-zero")


def test_a_worker_that_is_down_while_a_run_of_ours_acts_on_it_is_no_reason_for_a_restart() -> None:
    down = with_services(beat_until(1 / 3, started=1.9), deployed(Service.INGEST, 2, crashed=True))
    facts = replace(down, working={Service.INGEST: 12})

    [diagnosis] = health.report(facts).diagnoses

    assert diagnosis.finding.title == "Run 12 acts on ingest: ingest is down (0 of 1)"
    assert diagnosis.finding.status is Status.WARN
    assert diagnosis.finding.detail == "Wait until the run ends."
    assert diagnosis.finding.next_step == NextStep("Run 12", "run 12")


def test_a_deploy_is_not_blamed_while_the_run_that_made_it_acts() -> None:
    bad = with_services(beat_until(3, started=30, sha=SHA), deployed(Service.INGEST, 2, crashed=True))
    [blamed] = health.report(bad).diagnoses

    [excused] = health.report(replace(bad, working={Service.INGEST: 12})).diagnoses

    assert (blamed.cause.kind, blamed.finding.status) == (Kind.DEPLOY, Status.FAIL)
    assert excused.finding.title == f"Run 12 acts on ingest: {blamed.finding.title}"
    assert (excused.finding.status, excused.finding.detail) == (Status.WARN, "Wait until the run ends.")


def test_a_run_that_acts_on_another_service_excuses_nothing() -> None:
    down = with_services(beat_until(1 / 3, started=1.9), deployed(Service.INGEST, 2, crashed=True))

    [diagnosis] = health.report(replace(down, working={Service.ENFORCEMENT: 12})).diagnoses

    assert diagnosis.finding.status is Status.FAIL
    assert "process has died" in diagnosis.finding.detail


def test_a_killed_worker_whose_last_beat_still_counts_is_restarted() -> None:
    still_fresh = replace(beat_until(1 / 3, started=1.9), stale_after=HEALTHY.stale_after)

    [diagnosis] = health.report(with_services(still_fresh, deployed(Service.INGEST, 2, crashed=True))).diagnoses

    assert diagnosis.finding.title == "ingest crashed (Railway)"
    assert choose_remedy(diagnosis, ()) == NextStep("Restart ingest", "restart ingest")


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(beat_until(1.7, started=60), id="the one before beat while this one was built"),
        pytest.param(beat_until(1.7, started=1.9, sha=SHA), id="another SHA"),
        pytest.param(beat_until(1.9 - RAN / MINUTE, started=1.9), id="it said that it starts, and no more"),
    ],
)
def test_a_deploy_whose_own_worker_never_ran_crashes_at_start(facts: health.Facts) -> None:
    [diagnosis] = health.report(with_services(facts, deployed(Service.INGEST, 2, crashed=True))).diagnoses

    assert diagnosis.finding.title == "deploy e9a70d3b of ingest crashes at start"


def test_a_beat_just_after_the_start_shows_that_it_ran() -> None:
    facts = beat_until(1.9 - (RAN + timedelta(seconds=1)) / MINUTE, started=1.9, sha=None)

    [diagnosis] = health.report(with_services(facts, deployed(Service.INGEST, 2, crashed=True))).diagnoses

    assert diagnosis.cause.kind is Kind.WORKER


def test_a_worker_that_ran_and_ended_with_an_error_went_bad_with_its_deploy() -> None:
    facts = with_services(beat_until(1 / 3, started=1.9), deployed(Service.INGEST, 2, crashed=True))

    report = seen(replace(BAD_DEPLOY, health=facts))

    [diagnosis] = report.diagnosed.diagnoses
    assert diagnosis.finding.title == "deploy e9a70d3b of ingest does not work (FileNotFoundError)"


def test_a_worker_that_hangs_after_its_deploy_is_rolled_back() -> None:
    [diagnosis] = health.report(with_services(beat_until(1, started=1.9), deployed(Service.INGEST, 2))).diagnoses

    assert diagnosis.finding.title == "deploy e9a70d3b of ingest does not work"


SECOND = timedelta(seconds=1)


def slow_api(well: timedelta | None, *, status: DeploymentStatus = DeploymentStatus.SUCCESS) -> health.Facts:
    """An API deployed 20 min ago and live 3 min later that answered well for `well` and does not answer now."""
    state, live_at = deployed(Service.API, 20), ago(17)
    assert state.latest is not None
    latest = replace(state.latest, status=status, status_updated_at=live_at)
    seen = with_services(replace(HEALTHY, api=GATEWAY, intake=GATEWAY), replace(state, latest=latest))
    return replace(seen, api_answered=None if well is None else AnsweredWell(None, ago(60), live_at + well))


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        pytest.param(slow_api(RAN_WELL), Kind.DEPLOY, id="well for no longer than a few minutes"),
        pytest.param(slow_api(RAN_WELL + SECOND), Kind.API, id="well for longer"),
        pytest.param(slow_api(timedelta(minutes=-1)), Kind.DEPLOY, id="bad since it was built"),
        pytest.param(slow_api(None), Kind.DEPLOY, id="nobody knows for how long"),
        pytest.param(
            slow_api(10 * MINUTE, status=DeploymentStatus.CRASHED), Kind.DEPLOY, id="it crashed at an unknown moment"
        ),
    ],
)
def test_a_deploy_is_no_suspect_once_the_api_answered_well_for_minutes_after_it(
    facts: health.Facts, kind: Kind
) -> None:
    [diagnosis] = health.report(facts).diagnoses

    assert diagnosis.cause.kind is kind


def killed_api(well: timedelta, *, sha: str = BAD, spans: int = 1, before: timedelta = timedelta()) -> health.Facts:
    """An API deployed 2 min ago that crashed after its commit had answered well for `well`."""
    facts = with_services(replace(HEALTHY, api=GATEWAY, intake=GATEWAY), deployed(Service.API, 2, crashed=True))
    since = ago(1.5) - before
    return replace(facts, api_answered=AnsweredWell(sha[:8], since, since + well, spans))


@pytest.mark.parametrize(
    ("facts", "title"),
    [
        pytest.param(killed_api(RAN + SECOND), "api answers HTTP 502", id="it worked before it died"),
        pytest.param(killed_api(RAN), "deploy e9a70d3b of api crashes at start", id="one answer is no work"),
        pytest.param(killed_api(MINUTE, sha=SHA), "deploy e9a70d3b of api crashes at start", id="another commit"),
        pytest.param(
            killed_api(3 * MINUTE, before=MINUTE),
            "deploy e9a70d3b of api crashes at start",
            id="before it was deployed",
        ),
        pytest.param(
            killed_api(RAN + SECOND, spans=2), "deploy e9a70d3b of api does not work", id="it dies again and again"
        ),
    ],
)
def test_a_deploy_is_no_suspect_of_an_api_that_had_worked_before_it_was_killed(facts: health.Facts, title: str) -> None:
    [diagnosis] = health.report(facts).diagnoses

    assert diagnosis.finding.title == title
    assert (diagnosis.finding.next_step == NextStep("Restart api", "restart api")) is (not title.startswith("deploy"))


@pytest.mark.parametrize(
    ("bad_since", "kind"),
    [(ago(17) + RAN_WELL, Kind.DEPLOY), (ago(17) + RAN_WELL + SECOND, Kind.API), (ago(19), Kind.DEPLOY)],
)
def test_a_process_that_does_not_watch_the_api_learns_from_the_alert_since_when_it_is_bad(
    bad_since: datetime, kind: Kind
) -> None:
    for well_until in (None, ago(60)):  # never asked, or long before the deploy
        answered = AnsweredWell(None, ago(90), well_until) if well_until else None
        [diagnosis] = health.report(replace(slow_api(None), api_answered=answered, api_bad_since=bad_since)).diagnoses

        assert diagnosis.cause.kind is kind


def test_a_deploy_that_ran_well_is_a_fact_and_leads_to_no_rollback() -> None:
    [diagnosis] = health.report(slow_api(10 * MINUTE)).diagnoses

    assert diagnosis.finding.title == "api answers HTTP 502"
    assert diagnosis.finding.detail.endswith("Deploy e9a70d3b was 13 min before and ran well.")
    assert choose_remedy(diagnosis, ()) == NextStep("Restart api", "restart api")


@pytest.mark.parametrize(("well", "kind"), [(RAN_WELL, Kind.DEPLOY), (RAN_WELL + SECOND, Kind.WORKER)])
def test_a_deploy_is_no_suspect_once_its_worker_beat_for_minutes(well: timedelta, kind: Kind) -> None:
    """The worker hangs: its process still exists."""
    facts = with_services(beat_until(19 - well / MINUTE, started=19), deployed(Service.INGEST, 20))

    [diagnosis] = health.report(facts).diagnoses

    assert diagnosis.cause.kind is kind
    assert ("ran well" in diagnosis.finding.detail) is (kind is Kind.WORKER)


def test_a_deploy_of_another_service_is_not_blamed() -> None:
    reported = health.report(with_services(silent(WorkerType.INGEST, 7), deployed(Service.API, 9)))

    assert [one.cause.kind for one in reported.diagnoses] == [Kind.WORKER]


def test_some_workers_that_are_left_are_counted_and_not_stopped() -> None:
    beats = [replace(beat(WorkerType.INGEST), worker_id=f"ingest-{n}") for n in range(5)]
    facts = replace(
        HEALTHY, heartbeats=(*beats, beat(WorkerType.ENFORCEMENT)), expected={**HEALTHY.expected, WorkerType.INGEST: 6}
    )

    [diagnosis] = health.report(with_services(facts, running(Service.INGEST, 5, wanted=6))).diagnoses

    assert diagnosis.finding.title == "5 of 6 ingest workers alive"
    assert diagnosis.cause.since is None
    assert diagnosis.finding.next_step == NextStep("Restart ingest", "restart ingest")


def test_only_the_log_reports_of_a_crash_loop() -> None:
    looping = [log(Service.INGEST, "[ingest_processor] CRITICAL: Crash loop detected after 10 failures")]

    [diagnosis] = seen(replace(KILLED, logs=looping)).diagnosed.diagnoses

    assert diagnosis.finding.title == "ingest gave up after failing again and again"
    assert diagnosis.finding.next_step == NextStep("Logs of ingest", "logs ingest")
    assert "10 consecutive failures" not in f"{seen(KILLED)}"


def test_two_causes_are_two_lines_and_the_red_one_is_first() -> None:
    both = replace(RAILWAY_SILENT.health, api=GATEWAY, intake=GATEWAY)

    reported = health.report(both)

    assert [one.cause.kind for one in reported.diagnoses] == [Kind.API, Kind.RAILWAY]


def test_a_failed_job_is_no_effect_of_a_worker_that_is_gone() -> None:
    assert not isinstance(KILLED.health.queue, Unavailable)
    failed = replace(KILLED, health=replace(KILLED.health, queue=replace(KILLED.health.queue, failed_last_hour=2)))

    [unexplained] = wrong(seen(failed).diagnosed.rest)
    assert unexplained.startswith("2 failed")


def test_gates_that_a_cause_keeps_shut_are_known() -> None:
    facts = prod_gate.Facts(STOPPED.health, STOPPED.drift, STOPPED.exposures)
    diagnosed, gates = prod_gate.find_causes(facts), prod_gate.check(facts)

    assert [prod_gate.is_explained(one, diagnosed) for one in gates] == [True] * 5
    pending: Any = replace(HEALTHY, migrations=MigrationStatus((), ("x",), (), ()))
    other = prod_gate.Facts(pending, SchemaDrift(100), ())
    assert not any(prod_gate.is_explained(one, prod_gate.find_causes(other)) for one in prod_gate.check(other))


def test_gates_name_the_deploy_that_health_blames_and_no_cause_beyond_them() -> None:
    facts = prod_gate.Facts(BAD_DEPLOY.health, BAD_DEPLOY.drift, BAD_DEPLOY.exposures)
    diagnosed, gates = prod_gate.find_causes(facts), prod_gate.check(facts)
    by_health = health.report(BAD_DEPLOY.health).diagnoses

    assert [one.finding.title for one in diagnosed.diagnoses] == [one.finding.title for one in by_health]
    assert [one.finding.next_step for one in diagnosed.diagnoses] == [one.finding.next_step for one in by_health]
    shut = [one.title.partition(":")[0] for one in gates if prod_gate.is_explained(one, diagnosed)]
    assert shut == ["Worker heartbeats"]
    alive = replace(BAD_DEPLOY.health, heartbeats=HEALTHY.heartbeats)  # then no gate fails
    assert health.report(alive).diagnoses
    assert prod_gate.find_causes(replace(facts, health=alive)).diagnoses == ()


def test_diagnose_finds_no_cause_when_all_is_well() -> None:
    assert diagnose(health.check(HEALTHY), NOW, system=RUNBOOK).diagnoses == ()


def test_each_kind_of_cause_explains_something() -> None:
    assert set(EXPLAINS) == set(Kind)
