"""The plan of the emergency stop: immediate, with Railway as its only source, and with its undo."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from playbooks.model import NoPlan, Risk
from playbooks.steps import AwaitStopped, StopService, VerifyNoOrphanedJobs
from playbooks.stop_workers import Facts, plan, system_among
from services.domain.deployments import DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.systems import CIVIL
from tests.unit.playbooks.builders import beat, deployment, load, made, running_job, sha, state, states, stopped

INGEST, ENFORCEMENT = Service.INGEST, Service.ENFORCEMENT


def facts(*changed: ServiceState) -> Facts:
    return Facts("prod", states(*changed), load(), dashboard="https://railway.com/project/p")


def test_reports_all_to_stop_before_it_waits_for_the_first() -> None:
    planned = made(plan(facts(state(INGEST, replicas=3)), reason="wrong amounts"))

    assert planned.steps == (
        StopService(INGEST, "d-ingest", 3),
        StopService(ENFORCEMENT, "d-enforcement", 1),
        AwaitStopped(INGEST, 90),
        AwaitStopped(ENFORCEMENT, 90),
        VerifyNoOrphanedJobs(INGEST),
        VerifyNoOrphanedJobs(ENFORCEMENT),
    )
    assert planned.risk is Risk.BREAK_GLASS
    assert planned.title == "Stop workers: wrong amounts"


def test_the_way_back_has_the_former_counts() -> None:
    assert made(plan(facts(state(INGEST, replicas=3)))).undo == "scale ingest 3; scale enforcement 1"


def test_counts_what_runs_when_railway_does_not_report_what_is_configured() -> None:
    unknown = state(INGEST, replicas=2)

    assert made(plan(facts(replace(unknown, replicas_configured=None)), [INGEST])).undo == "scale ingest 2"


def test_a_stopped_worker_is_not_stopped_again() -> None:
    planned = made(plan(facts(stopped(INGEST))))

    assert planned.services == {ENFORCEMENT}
    assert isinstance(plan(facts(stopped(INGEST)), [INGEST]), NoPlan)


def test_stop_workers_stops_a_crashing_worker_too() -> None:
    crashed = deployment("d-ingest", status=DeploymentStatus.CRASHED)

    planned = made(plan(facts(replace(state(INGEST), active=(), latest=crashed)), [INGEST]))

    assert planned.steps[0] == StopService(INGEST, "d-ingest", 1)


def test_reports_what_it_interrupts() -> None:
    busy = load(beats=[beat("ingest-1")], running=[running_job(1, "ingest-1", age_s=240)], pending=318)

    planned = made(plan(replace(facts(), load=busy), [INGEST]))

    assert planned.impact[0] == "stops 1 worker holding 1 job, oldest since 11:56 UTC; 318 pending"


def test_needs_no_database() -> None:
    away = Unavailable("database", "no answer within 5 s")
    blind = replace(facts(), load=replace(load(), queue=away, running=away, beats=away))

    assert made(plan(blind)).hash == made(plan(facts())).hash


def test_without_railway_it_reports_how_to_do_it_by_hand() -> None:
    refusal = plan(replace(facts(), states=Unavailable("Railway", "HTTP 500")))

    assert isinstance(refusal, NoPlan)
    assert "→ Remove" in refusal.what_next  # Railway's menu has no "Stop"
    assert "railway down --service dragonfly-worker-ingest" in refusal.what_next
    assert refusal.next_steps[0].url == "https://railway.com/project/p"


def test_a_deployment_on_its_way_would_start_them_again() -> None:
    coming = replace(state(INGEST), latest=deployment("x", sha("e"), status=DeploymentStatus.DEPLOYING))

    assert any("cancel it in Railway" in warning for warning in made(plan(facts(coming), [INGEST])).warnings)


REFUSED = Unavailable("Railway", "its rate limit is used up")


def test_goes_by_what_was_known_while_railway_is_not_read() -> None:
    old = replace(facts(stopped(INGEST)), outdated=REFUSED, age=timedelta(minutes=3))

    planned = made(plan(old))

    assert planned.services == {INGEST, ENFORCEMENT}  # a worker that was stopped then may run now
    assert (
        "Railway was not read (its rate limit is used up); this plan shows its answer of 3 min ago" in planned.warnings
    )


def test_names_the_way_by_hand_when_nothing_was_known() -> None:
    known = replace(facts(), states={}, outdated=REFUSED)

    none = plan(known)

    assert isinstance(none, NoPlan)
    assert none.is_unknown


def test_stops_every_worker_of_a_system_with_four_services() -> None:
    services = {service: state(service) for service in CIVIL.services}

    planned = made(plan(Facts("prod", services, replace(load(), system=CIVIL))))

    assert planned.services == set(CIVIL.workers)
    assert planned.undo == "scale ingest 1; scale enforcement 1; scale simplicity 1"
    assert not [warning for warning in planned.warnings if "does not cover" in warning]


def test_names_the_services_that_it_does_not_cover() -> None:
    others = {name: state(name) for name in (Service.SIMPLICITY, Service("redis"))}

    planned = made(plan(replace(facts(), states={**states(), **others})))

    assert planned.services == {INGEST, ENFORCEMENT}
    expected = "does not cover other services of this Railway environment: dragonfly-worker-simplicity, redis"
    assert expected in planned.warnings


def test_names_every_worker_by_its_name_in_railway_for_the_way_by_hand() -> None:
    civil = CIVIL.renamed({"simplicity": "simplicity-prod"})

    none = plan(Facts("prod", REFUSED, replace(load(), system=civil)))

    assert isinstance(none, NoPlan)
    same = "and the same for dragonfly-worker-enforcement and simplicity-prod"
    assert none.what_next.endswith(f"railway down --service dragonfly-worker-ingest, {same}")


def test_while_the_system_is_unknown_the_way_by_hand_names_the_workers_of_every_system() -> None:
    away = Unavailable("Railway", "HTTP 500")
    known = replace(facts(), states=away)
    unknown = replace(known, load=replace(load(), system=system_among(away)), is_recognized=False)

    named = {one.is_recognized: plan(one) for one in (known, unknown)}

    assert {known: "worker-simplicity" in str(refusal) for known, refusal in named.items()} == {
        True: False,
        False: True,
    }


def test_stop_workers_names_unchecked_services_when_nothing_runs() -> None:
    mailer = Service("dragonfly-worker-mailer")
    idle = {INGEST: stopped(INGEST), ENFORCEMENT: stopped(ENFORCEMENT)}

    refused = [plan(replace(facts(), states={**states(), **idle, **more})) for more in ({}, {mailer: state(mailer)})]

    ends = [one.what_next for one in refused if isinstance(one, NoPlan)]
    assert ends == ["nothing to stop", "nothing to stop; not checked: dragonfly-worker-mailer"]


FAILED = "HTTP 500 for this service"


def unreported(service: Service) -> ServiceState:
    return ServiceState(service, f"s-{service.short}", unknown=FAILED)


def without(*services: Service) -> dict[Service, ServiceState]:
    return {one: shown for one, shown in states().items() if one not in services}


def test_a_worker_that_railway_did_not_report_is_named_as_not_stopped() -> None:
    answers = {
        FAILED: states(unreported(ENFORCEMENT)),
        "it shows no dragonfly-worker-enforcement": without(ENFORCEMENT),
    }

    for why, answer in answers.items():
        planned = made(plan(replace(facts(), states=answer)))

        assert planned.services == {INGEST}
        [doubt] = [line for line in planned.warnings if line.startswith("not stopped: enforcement")]
        assert doubt.endswith(f" ({why})")


def test_stop_workers_names_workers_to_stop_by_hand_when_railway_does_not_report_them() -> None:
    answers = {
        "enforcement": states(stopped(INGEST), unreported(ENFORCEMENT)),
        "ingest": {**without(INGEST), ENFORCEMENT: ServiceState(ENFORCEMENT, "s-enforcement")},  # never deployed
        "ingest, enforcement": {},
    }

    for names, answer in answers.items():
        none = plan(replace(facts(), states=answer))

        assert isinstance(none, NoPlan)
        assert none.is_unknown
        named = [one for one in ("ingest", "enforcement") if f"dragonfly-worker-{one}" in none.what_next]
        assert ", ".join(named) == names
        assert none.next_steps[0].url == "https://railway.com/project/p"


def test_one_worker_that_was_asked_for_and_is_not_reported_is_unknown() -> None:
    renamed = Service("enforcement-new")

    none = plan(replace(facts(), states=states(unreported(ENFORCEMENT), state(renamed))), [ENFORCEMENT])

    assert isinstance(none, NoPlan)
    assert none.is_unknown
    assert none.why.endswith(f": enforcement ({FAILED})")
    assert none.what_next.endswith("--service dragonfly-worker-enforcement; not checked: enforcement-new")


def test_stop_workers_has_no_plan_when_nothing_runs() -> None:
    none = plan(facts(stopped(INGEST), ServiceState(ENFORCEMENT, "s-enforcement")))

    assert isinstance(none, NoPlan)
    assert not none.is_unknown
    assert none.why == "workers: nothing runs"


def guessed(answer: dict[Service, ServiceState]) -> Facts:
    system = system_among(answer)
    return Facts("prod", answer, replace(load(), system=system), is_recognized=False)


def test_while_the_system_is_unknown_every_worker_that_railway_shows_is_stopped() -> None:
    answer = {one: state(one) for one in CIVIL.services if one is not ENFORCEMENT}

    planned = made(plan(guessed(answer)))

    assert planned.services == {INGEST, Service.SIMPLICITY}
    assert not [one for one in planned.warnings if "by its services" in one or "does not cover" in one]
    assert [one for one in planned.warnings if "every known worker that Railway shows can be stopped" in one]
    assert [one for one in planned.warnings if one.startswith("not stopped: enforcement")]


def test_a_system_is_recognized_by_the_services_that_railway_reported_only() -> None:
    simplicity = Service.SIMPLICITY
    warnings = {
        name: " ".join(made(plan(guessed(answer))).warnings)
        for name, answer in {
            "three": states(),
            "four": {one: state(one) for one in CIVIL.services},
            "three, one not reported": states(unreported(simplicity)),
            "two, one not reported": states(unreported(ENFORCEMENT)),
        }.items()
    }

    assert {
        name: "by its services it is " + posted.partition("by its services it is ")[2].split(".")[0]
        for name, posted in warnings.items()
        if "by its services" in posted
    } == {
        "three": "by its services it is runbook",
        "four": "by its services it is civil",
    }
    assert "did not report" in warnings["three, one not reported"]
    assert "not stopped: simplicity" in warnings["three, one not reported"]
    assert f"({FAILED})" in warnings["three, one not reported"]
    assert "not stopped" not in warnings["three"] + warnings["four"]
