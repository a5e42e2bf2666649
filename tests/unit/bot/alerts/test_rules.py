"""The alert rules: each reports its planted fault, with the checks of `health` and `doctor` and its own severity."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.alerts.rules import evaluate
from bot.alerts.rules.workers import next_deadline
from bot.alerts.snapshot import SlowReads, Snapshot, Work
from bot.alerts.suppression import RuleResult
from bot.config.alerts import FINGERPRINTS, covered, find_what, nearest, service_of
from playbooks.checks import oncall
from playbooks.checks.outcomes import Usual
from playbooks.checks.triage import Earlier
from playbooks.model import Status
from services.domain.alerts import Severity
from services.domain.channels import Channel
from services.domain.database import ConnectionUse, Exposure, MigrationStatus, ServerFacts
from services.domain.deployments import Deployment, DeploymentStatus, Instance, ServiceState
from services.domain.errors import Unavailable
from services.domain.freezes import Lock
from services.domain.health import ApiHealth, BotState, IntakeHealth
from services.domain.jobs import Heartbeat, JobOutcomes, LockWait, QueueSnapshot
from services.domain.oncall import Level, OnCallPerson, Schedule
from services.domain.rotations import Rotation
from services.domain.services import Service, WorkerType
from services.domain.systems import CIVIL, RUNBOOK
from services.domain.text import clock_time
from services.domain.thresholds import StaleLimits
from services.domain.usage import InstanceUsage, Sample, ServiceUsage
from tests.unit.bot.alerts.builders import NOW, RULES, ago

STALE = timedelta(seconds=300)
SILENT = Unavailable("Railway", "no answer")
SHA = "a1b2c3d4"
INGEST, ENFORCEMENT = WorkerType.INGEST, WorkerType.ENFORCEMENT


def beat(age_s: float = 1, *, id: str = "i1", kind: WorkerType = INGEST, **more: Any) -> Heartbeat:  # noqa: A002
    known: dict[str, Any] = {"status": "running", "git_sha": SHA, "started_at": ago(7200), "database_ok": True}
    return Heartbeat(id, kind, last_heartbeat_at=ago(age_s), **{**known, **more})


def state(service: Service, *, running: int = 1, wanted: int = 1, **more: Any) -> ServiceState:
    instances = tuple(Instance(f"n{n}", "RUNNING") for n in range(running))
    deployment = Deployment("d1", DeploymentStatus.SUCCESS, ago(9000), commit_sha=SHA, instances=instances)
    known: dict[str, Any] = {"active": (deployment,), "latest": deployment, "replicas_configured": wanted}
    return ServiceState(service, f"s-{service.short}", **{**known, **more})


def services(**more: ServiceState) -> dict[Service, ServiceState]:
    return {service: more.get(service.short, state(service)) for service in RUNBOOK.services}


def work(**more: Any) -> Work:
    known: dict[str, Any] = {"queue": queue(), "exhausted": 0, "lock_waits": (), "locks": ()}
    return Work(**{**known, **more})


def queue(*, oldest_s: float | None = None, failed: int = 0, orphaned: int = 0) -> QueueSnapshot:
    return QueueSnapshot(NOW, 3, None if oldest_s is None else ago(oldest_s), 0, failed, orphaned)


def slow_reads(**more: Any) -> SlowReads:
    server = ServerFacts(
        current_user="dragonfly_bot",
        database="db",
        server_time=NOW,
        schemas=("enforcement", "intake", "ops", "public"),
        version="15.1",
        hidden_tables=(),
        pooler_mode="session",
    )
    known: dict[str, Any] = {
        "server": server,
        "migrations": MigrationStatus(applied=(), pending=(), changed=(), unknown=()),
        "exposures": (),
        "outcomes": Usual(JobOutcomes(100, 0), JobOutcomes(1000, 10)),
        "connections": ConnectionUse(10, 100),
    }
    return SlowReads(**{**known, **more})


def health(**more: Any) -> ApiHealth:
    known: dict[str, Any] = {"http_status": 200, "status": "ok", "db_connected": True, "elapsed_ms": 20.0}
    return ApiHealth(environment="prod", timestamp=NOW, **{"git_sha": SHA, **known, **more})


def usage(*memory: float) -> ServiceUsage:
    """One instance with a limit of 0.5 GB. `memory`: GB, a sample every 30 s, the last one now."""
    samples = [Sample(ago(30 * (len(memory) - n - 1)), value) for n, value in enumerate(memory)]
    return ServiceUsage([InstanceUsage("n", samples, 0.5)])


CLIMBS = usage(*[0.2] * 20, *[0.2 + 0.02 * n for n in range(11)])


NO_BATCH = Schedule(
    {"ann": OnCallPerson("ann", "U1")},
    {"primary": Rotation("primary", ("ann",), 7, date(2100, 1, 1), time(9), ZoneInfo("UTC"))},
    (Level(("primary",), frozenset(Channel), timedelta(minutes=5)),),
)
ANN_TWICE = Schedule(NO_BATCH.people, {}, (Level(("ann",), frozenset(Channel), timedelta(minutes=5)),) * 2)


def seen(*beats: Heartbeat, **more: Any) -> Snapshot:
    known: dict[str, Any] = {
        "now": NOW,
        "stale_after": StaleLimits(STALE),
        "environment": "prod",
        "heartbeats": beats or (beat(), beat(id="e1", kind=ENFORCEMENT)),
        "expected": {INGEST: 1, ENFORCEMENT: 1},
        "system": RUNBOOK,
        "api": health(),
        "intake": IntakeHealth(200, "ok", True, 0, None, 20.0),
        "services": services(),
        "work": work(),
        "slow_reads": slow_reads(),
        "auto_deploy": dict.fromkeys(RUNBOOK.services, True),
        "bot": BotState(SHA, ago(60), connected=True, leader=True),
        "oncall": oncall.Facts(Schedule({}, {}, ()), (), NOW),
        "usage": dict.fromkeys(RUNBOOK.services, usage(0.2)),
    }
    return Snapshot(**{**known, **more})


def results(*beats: Heartbeat, **more: Any) -> dict[str, RuleResult]:
    return {one.fingerprint: one for one in evaluate(seen(*beats, **more), RULES)}


def trouble(*beats: Heartbeat, **more: Any) -> dict[str, RuleResult]:
    return {name: one for name, one in results(*beats, **more).items() if one.is_trouble}


def test_when_all_is_well_every_name_is_spoken_for_and_none_complains() -> None:
    every = results()

    assert {name for name, one in every.items() if one.finding.status is not Status.OK} == set()
    ours = {name for name in FINGERPRINTS if not name.endswith(".simplicity")}  # only the system `civil` has it
    assert ours ^ set(every) == {"grants.audit"}  # fires only if the catalog can't be read


def test_rules_have_no_result_for_sources_that_were_not_read() -> None:
    nothing = dict.fromkeys(
        ("api", "intake", "services", "work", "slow_reads", "auto_deploy", "bot", "oncall", "usage")
    )

    names = {name.split(".")[0] for name in results(**nothing)}

    assert names == {"heartbeats", "workers", "restarts", "crash_loop", "database"}


@pytest.mark.parametrize("missing", ["api", "intake", "services"])
def test_missing_source_affects_no_other_rule(missing: str) -> None:
    answers = trouble(**{missing: Unavailable(missing, "no answer")})

    assert set(answers) <= {"api", "blindness.railway"}


# Heartbeats


@pytest.mark.parametrize(("age_s", "is_stale"), [(300, False), (300.1, True)])
def test_a_beat_counts_until_its_limit(age_s: float, is_stale: bool) -> None:
    assert ("heartbeats.ingest" in trouble(beat(age_s), beat(id="e1", kind=ENFORCEMENT))) is is_stale


def test_a_worker_that_fell_silent_is_reported_at_once_and_is_a_page() -> None:
    one = trouble(beat(301))["heartbeats.ingest"]

    assert (one.severity, one.wait) == (Severity.PAGE, timedelta())


def test_one_of_two_wakes_no_one_up() -> None:
    found = trouble(beat(), beat(301, id="i2"), expected={INGEST: 2, ENFORCEMENT: 0})

    assert found["heartbeats.ingest"].severity is Severity.NOTIFY


@pytest.mark.parametrize(
    ("alive", "oldest_s", "severity"),
    [
        (5, None, Severity.NOTIFY),
        (3, 300, Severity.NOTIFY),
        (2, None, Severity.PAGE),
        (0, None, Severity.PAGE),
        (5, 301, Severity.PAGE),
    ],
)
def test_dead_workers_page_by_what_is_left(alive: int, oldest_s: float | None, severity: Severity) -> None:
    beats = [*(beat(id=f"i{n}") for n in range(alive)), *(beat(301, id=f"i{n}") for n in range(alive, 6))]
    dead = Instance("x", "CRASHED")
    running = state(Service.INGEST, running=alive, wanted=6)
    one = replace(running.active[0], instances=(*running.active[0].instances, dead))
    ingest = replace(running, active=(one,), latest=one)

    found = trouble(
        *beats,
        expected={INGEST: 6, ENFORCEMENT: 0},
        services=services(ingest=ingest),
        work=work(queue=queue(oldest_s=oldest_s)),
    )

    assert found["heartbeats.ingest"].severity is severity
    assert found["crash_loop.ingest"].severity is severity
    reported = found["crash_loop.ingest"].finding.detail
    assert reported == ("1 instance" if not alive else f"1 instance; {alive} of 6 still work")


def test_a_queue_that_no_one_sees_pages_as_if_jobs_waited() -> None:
    away = work(queue=Unavailable("database", "permission denied"))

    found = trouble(beat(), beat(301, id="i2"), expected={INGEST: 2, ENFORCEMENT: 0}, work=away)

    assert found["heartbeats.ingest"].severity is Severity.PAGE


def test_a_worker_that_gave_up_pages_although_others_work() -> None:
    beats = [*(beat(id=f"i{n}") for n in range(5)), beat(id="i5", status="error")]

    found = trouble(*beats, services=services(ingest=state(Service.INGEST, running=6, wanted=6)))

    assert found["crash_loop.ingest"].severity is Severity.PAGE


@pytest.mark.parametrize(
    "beats",
    [
        (beat(5, status="stopped"),),
        (beat(7200, id="old"), beat()),
        (beat(602),),
        (),
    ],
    ids=["stopped in order", "scaled up", "silent for long", "never there"],
)
def test_workers_that_may_be_on_their_way_are_reported_later(beats: tuple[Heartbeat, ...]) -> None:
    others = (beat(id="e1", kind=ENFORCEMENT),)

    assert trouble(*beats, *others, expected={INGEST: 2, ENFORCEMENT: 1})["heartbeats.ingest"].wait == STALE


@pytest.mark.parametrize(("silent_for", "stale"), [(120, set()), (121, {"heartbeats.ingest"})])
def test_the_limit_of_one_worker_type_alerts_about_no_other(silent_for: float, stale: set[str]) -> None:
    limits = StaleLimits(STALE, {INGEST: timedelta(seconds=120)})

    found = trouble(beat(silent_for), beat(silent_for, id="e1", kind=ENFORCEMENT), stale_after=limits)

    assert {name for name in found if name.startswith("heartbeats.")} == stale
    assert all(found[name].wait == timedelta() for name in stale)


def test_workers_that_never_came_are_waited_for_as_long_as_their_own_limit() -> None:
    limits = StaleLimits(STALE, {INGEST: timedelta(seconds=120)})

    found = trouble(expected={INGEST: 2, ENFORCEMENT: 2}, stale_after=limits)

    assert found["heartbeats.ingest"].wait == timedelta(seconds=120)
    assert found["heartbeats.enforcement"].wait == STALE


def test_a_worker_that_was_stale_when_it_was_first_seen_did_not_fall_silent() -> None:
    earlier = Earlier(ago(20), {"e1": ago(20)})

    assert trouble(beat(301), earlier=earlier)["heartbeats.ingest"].wait == STALE


@pytest.mark.parametrize("beats", [(beat(301), beat(id="i2")), (beat(301, status="stopped"), beat(id="i2"))])
def test_replaced_and_stopped_workers_alert_no_one(beats: tuple[Heartbeat, ...]) -> None:
    assert "heartbeats.ingest" not in trouble(*beats)


def test_a_scale_down_to_nothing_alerts_no_one() -> None:
    assert "heartbeats.ingest" not in trouble(beat(301), expected={INGEST: 0, ENFORCEMENT: 1})


def test_rows_that_may_be_hidden_alert_no_one() -> None:
    assert "heartbeats.ingest" not in trouble(beat(301), all_visible=False)


def test_without_railway_one_of_a_type_that_beat_is_the_least() -> None:
    silent = {"expected": {INGEST: SILENT, ENFORCEMENT: SILENT}, "services": SILENT}

    assert "heartbeats.ingest" in trouble(beat(301), **silent)
    assert "heartbeats.enforcement" not in trouble(beat(301), **silent)
    assert "heartbeats.ingest" not in trouble(beat(), **silent)


def test_the_page_names_the_probable_cause() -> None:
    gone = services(ingest=state(Service.INGEST, running=0))

    one = trouble(beat(301), services=gone)["heartbeats.ingest"]

    assert one.finding.detail.startswith(f"last beat {clock_time(ago(301))}, worker dead: Railway runs 0 of 1")
    assert one.finding.evidence["cause"] == "worker dead"


@pytest.mark.parametrize(("seconds", "is_reported"), [(0, False), (74, False), (75, True)])
def test_a_worker_gets_time_to_beat_after_the_database_came_back(seconds: int, is_reported: bool) -> None:
    gone = services(ingest=state(Service.INGEST, running=1))

    reported = trouble(beat(500), services=gone, back_at=ago(seconds))

    assert ("heartbeats.ingest" in reported) is is_reported


def test_a_wrong_clock_wakes_no_one_up() -> None:
    skewed = beat(420)
    earlier = Earlier(ago(20), {"i1": ago(450)})

    one = trouble(skewed, earlier=earlier)["heartbeats.ingest"]

    assert (one.severity, one.finding.evidence["cause"]) == (Severity.NOTIFY, "clock skew")


def test_the_next_deadline_is_that_of_the_oldest_beat_that_counts() -> None:
    assert next_deadline(seen(beat(100), beat(10, id="i2"), beat(400, id="i3"))) == NOW + timedelta(seconds=200)


# Every other rule, with its fault planted


def lock_wait(seconds: float) -> LockWait:
    return LockWait(7, "dragonfly-api", "RowShareLock", "ops.job_queue", seconds, (8,))


def crashed() -> dict[Service, ServiceState]:
    dead = Deployment("d1", DeploymentStatus.SUCCESS, ago(9000), commit_sha=SHA, instances=(Instance("n", "CRASHED"),))
    return services(api=state(Service.API, active=(dead,), latest=dead))


def failed_deploy() -> dict[Service, ServiceState]:
    return services(api=state(Service.API, latest=Deployment("d2", DeploymentStatus.FAILED, ago(60))))


def many_starts(count: int, **more: Any) -> tuple[Heartbeat, ...]:
    return tuple(beat(n, id=f"i{n}", started_at=ago(60 * n), **more) for n in range(count))


@pytest.mark.parametrize(
    ("more", "name", "severity"),
    [
        ({"api": Unavailable("API", "no answer")}, "api", Severity.PAGE),
        ({"api": Unavailable("API", "HTTP 503", 503)}, "api", Severity.PAGE),
        ({"api": health(http_status=503, status="degraded")}, "api", Severity.PAGE),
        ({"api": health(elapsed_ms=2001)}, "slow_api", Severity.NOTIFY),
        ({"intake": IntakeHealth(503, "degraded", False, None, None, 5)}, "intake", Severity.NOTIFY),
        ({"api": health(http_status=503, status="degraded", db_connected=False)}, "database", Severity.PAGE),
        ({"work": work(queue=queue(oldest_s=301))}, "backlog", Severity.NOTIFY),
        ({"work": work(queue=queue(oldest_s=901))}, "backlog", Severity.PAGE),
        ({"work": work(queue=queue(failed=10))}, "failed_jobs", Severity.NOTIFY),
        ({"work": work(queue=queue(orphaned=1))}, "orphaned", Severity.NOTIFY),
        ({"work": work(exhausted=1)}, "exhausted", Severity.NOTIFY),
        ({"work": work(unclaimed={"entity_resolve": ago(61)})}, "unclaimed", Severity.NOTIFY),
        ({"work": work(lock_waits=(lock_wait(31),))}, "contention", Severity.NOTIFY),
        ({"work": work(locks=(Lock(Service.API, "U1", "why", ago(86_400)),))}, "locks.api", Severity.NOTIFY),
        ({"work": work(queue=Unavailable("database", "permission denied"))}, "visibility.answers", Severity.NOTIFY),
        ({"slow_reads": slow_reads(migrations=MigrationStatus((), ("1",), (), ()))}, "migrations", Severity.NOTIFY),
        (
            {"slow_reads": slow_reads(exposures=(Exposure("grants", "ops.x", "anon", "SELECT"),))},
            "grants.grants",
            Severity.NOTIFY,
        ),
        (
            {"slow_reads": slow_reads(outcomes=Usual(JobOutcomes(70, 30), JobOutcomes(1000, 10)))},
            "failure_rate",
            Severity.NOTIFY,
        ),
        (
            {"auto_deploy": {**dict.fromkeys(RUNBOOK.services, True), Service.API: False}},
            "freezes.api",
            Severity.NOTIFY,
        ),
        ({"usage": {Service.INGEST: CLIMBS}}, "memory.ingest", Severity.NOTIFY),
        ({"slow_reads": slow_reads(connections=ConnectionUse(90, 100))}, "connections", Severity.NOTIFY),
        ({"services": crashed()}, "crash_loop.api", Severity.PAGE),
        ({"services": failed_deploy()}, "deployments.api", Severity.NOTIFY),
        ({"services": SILENT}, "blindness.railway", Severity.NOTIFY),
        ({"bot": BotState(SHA, ago(60), connected=False, leader=True)}, "blindness.slack", Severity.NOTIFY),
        ({"oncall": oncall.Facts(NO_BATCH, (), NOW)}, "oncall", Severity.NOTIFY),
        ({"oncall": oncall.Facts(ANN_TWICE, (), NOW)}, "oncall", Severity.NOTIFY),
    ],
)
def test_a_planted_fault_is_reported(more: dict[str, Any], name: str, severity: Severity) -> None:
    assert trouble(**more)[name].severity is severity


def test_a_crash_at_the_memory_limit_says_so_where_the_metrics_show_it() -> None:
    full, below = {Service.API: usage(0.4, 0.49)}, {Service.API: usage(0.4, 0.47)}

    killed = trouble(services=crashed(), usage=full)["crash_loop.api"].finding
    crash = trouble(services=crashed(), usage=below)["crash_loop.api"].finding

    assert killed.title == "api crashed: killed at its memory limit"
    assert killed.detail.endswith("memory stood at 0.49 of 0.50 GB")
    assert crash.title == "api crashed (Railway)"
    [one] = full[Service.API].instances
    whole = {Service.API: ServiceUsage([replace(one, instance_id="")])}
    reported = trouble(services=crashed(), usage=whole)["crash_loop.api"].finding
    assert (reported.title, reported.detail) == ("api crashed (Railway)", "1 instance; memory stood at 0.49 of 0.50 GB")
    other = {Service.API: ServiceUsage([replace(one, instance_id="healthy")])}
    assert "memory" not in trouble(services=crashed(), usage=other)["crash_loop.api"].finding.detail


def test_an_api_without_its_database_is_reported_once() -> None:
    cut_off = health(http_status=503, status="degraded", db_connected=False)

    assert set(trouble(api=cut_off)) == {"database"}


@pytest.mark.parametrize(
    "more",
    [
        {"api": Unavailable("API", "no answer"), "services": SILENT},
        {"api": health(elapsed_ms=2000)},
        {"work": work(queue=queue(oldest_s=300, failed=9))},
        {"work": work(lock_waits=(lock_wait(30),))},
        {"usage": {Service.INGEST: CLIMBS}, "freed_gb": {Service.INGEST: 0.4}},
        {"usage": Unavailable("Railway", "Not Authorized")},
        {"slow_reads": slow_reads(connections=ConnectionUse(89, 100))},
        {"work": work(locks=(Lock(Service.API, "U1", "why", ago(86_399)),))},
        {"auto_deploy": dict.fromkeys(RUNBOOK.services, False)},
        {
            "auto_deploy": {**dict.fromkeys(RUNBOOK.services, True), Service.API: False},
            "work": work(locks=(Lock(Service.API, "U1", "why", ago(60)),)),
        },
        {"slow_reads": slow_reads(outcomes=Usual(JobOutcomes(15, 4), JobOutcomes(1000, 10)))},
        {"slow_reads": slow_reads(outcomes=Usual(JobOutcomes(70, 30), JobOutcomes(80, 20)))},
    ],
    ids=[
        "we hear nobody",
        "not slow yet",
        "within the limits",
        "a short wait",
        "below a peak it came down from",
        "no metrics",
        "some connections left",
        "a young lock",
        "nobody deploys by itself",
        "frozen and locked",
        "too few jobs to tell",
        "not more than usual",
    ],
)
def test_rules_report_nothing_within_their_limits(more: dict[str, Any]) -> None:
    assert set(trouble(**more)) <= {"blindness.railway"}


@pytest.mark.parametrize(
    ("one", "name"),
    [
        (beat(current_job_id="j", current_job_started_at=ago(601)), "workers.ingest"),
        (beat(status="starting", started_at=ago(121)), "workers.ingest"),
        (beat(status="error"), "crash_loop.ingest"),
        (beat(database_ok=False), "database"),
    ],
    ids=["stuck", "not finish starting", "gave up", "without database"],
)
def test_a_worker_that_beats_may_still_be_in_problem(one: Heartbeat, name: str) -> None:
    assert name in trouble(one, beat(id="e1", kind=ENFORCEMENT))


@pytest.mark.parametrize(("starts", "is_reported"), [(3, False), (4, True)])
def test_workers_that_start_again_and_again_are_reported(starts: int, is_reported: bool) -> None:
    beats = (*many_starts(starts), beat(id="e1", kind=ENFORCEMENT))

    assert ("restarts.ingest" in trouble(*beats)) is is_reported


def test_workers_that_stopped_in_order_explain_their_starts() -> None:
    beats = (*many_starts(30, status="stopped"), beat(), beat(id="e1", kind=ENFORCEMENT))

    assert "restarts.ingest" not in trouble(*beats)


def test_services_on_different_commits_are_reported_after_a_while() -> None:
    other = replace(state(Service.API), latest=None)
    deployment = replace(other.active[0], commit_sha="ffffffff")
    found = trouble(
        services=services(api=replace(other, active=(deployment,), latest=deployment)), api=health(git_sha="ffffffff")
    )

    assert found["sha.same"].wait == timedelta(seconds=900)


def test_hidden_rows_and_schemas_are_reported() -> None:
    server = slow_reads().server
    assert isinstance(server, ServerFacts)
    hidden = replace(server, hidden_tables=("ops.job_queue",), schemas=("public",), missing_schemas=("ops",))

    found = trouble(slow_reads=slow_reads(server=hidden))

    assert {"visibility.rows", "visibility.schemas"} <= set(found)


# Names


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("ingest", "ingest"),
        ("dragonfly-worker-ingest", "ingest"),
        ("Heartbeats.Ingest", "heartbeats.ingest"),
        ("failed-jobs", "failed_jobs"),
        ("backlog", "backlog"),
        ("heartbeats.ingets", None),
        ("everything", None),
    ],
)
def test_a_word_means_a_service_a_rule_or_an_alert(word: str, what: str | None) -> None:
    assert find_what(word) == what


def test_a_typo_gets_the_nearest_name() -> None:
    assert nearest("heartbeats.ingets", RUNBOOK.services) == "heartbeats.ingest"
    assert nearest("nonsense", RUNBOOK.services) is None


def test_a_typo_never_gets_a_service_of_another_system() -> None:
    assert nearest("heartbeats.simplicty", CIVIL.services) == "heartbeats.simplicity"
    for typo in ("simplicty", "heartbeats.simplicty"):
        assert "simplicity" not in str(nearest(typo, RUNBOOK.services))


def test_a_name_covers_what_begins_with_it_or_is_of_its_service() -> None:
    assert covered("heartbeats") == ["heartbeats.ingest", "heartbeats.enforcement", "heartbeats.simplicity"]
    assert "crash_loop.api" in covered("api")
    assert service_of("heartbeats.ingest") is Service.INGEST
    assert service_of("backlog") is None
