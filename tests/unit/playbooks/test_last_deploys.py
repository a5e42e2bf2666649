"""The deploy that a page names, and the deploy that is suspected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from playbooks.last_deploys import (
    LOOK_BACK,
    RAN_WELL,
    WORKED_AFTER,
    Facts,
    Suspect,
    find_suspect,
    last_deploys,
    remember_deployments,
)
from services.domain.alerts import KnownCause
from services.domain.deployments import Deployment, DeploymentStatus, ServiceAct, ServiceState
from services.domain.health import AnsweredWell
from services.domain.jobs import Heartbeat
from services.domain.people import Person
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.unit.playbooks.builders import NOW, beat, deployment, sha, state

SECOND = timedelta(seconds=1)
BUILDING = DeploymentStatus.BUILDING
API, INGEST, ENFORCEMENT = Service.API, Service.INGEST, Service.ENFORCEMENT


def made(
    name: str, digit: str, *, minutes: float = 10, status: DeploymentStatus = DeploymentStatus.SUCCESS
) -> Deployment:
    return replace(deployment(name, sha(digit), age_h=minutes / 60, status=status), author="Tom Okafor")


def act(kind: str, deployment_id: str | None, service: Service = INGEST) -> ServiceAct:
    return ServiceAct(service, kind, 5, deployment_id, NOW, Person("U1", "T1"))


def words(service: Service | None, *acts: ServiceAct, name: str = "Ben Osei", **deployments: list[Deployment]) -> str:
    known = {one: tuple(deployments.get(one.short, ())) for one in RUNBOOK.services}
    return last_deploys(Facts(NOW, known, acts, lambda _: name, system=RUNBOOK), service)


def test_last_deploys_names_the_services_newest_one_in_any_state() -> None:
    crashed = made("bad", "e", status=DeploymentStatus.CRASHED)

    assert words(INGEST, ingest=[made("good", "8", minutes=90), crashed]) == (
        "deploy e0123456 CRASHED 11:50 UTC (commit by Tom Okafor)"
    )


def test_others_come_after_it_as_elsewhere() -> None:
    own, other = made("own", "e", minutes=30), made("other", "8", minutes=1)

    assert words(INGEST, ingest=[own], enforcement=[other]) == (
        "deploy e0123456 11:30 UTC (commit by Tom Okafor)"
        " · elsewhere: enforcement deploy 80123456 11:59 UTC (commit by Tom Okafor)"
    )
    none, elsewhere = words(API, enforcement=[other]).split(" · ")
    assert none.startswith("no deploy of api ")
    assert elsewhere.startswith("elsewhere: enforcement deploy")


def test_one_push_to_all_services_is_named_once() -> None:
    assert "elsewhere" not in words(INGEST, ingest=[made("a", "e")], api=[made("b", "e")])


def test_without_a_service_it_is_named_of_any() -> None:
    assert words(None, api=[made("a", "e")]) == "api deploy e0123456 11:50 UTC (commit by Tom Okafor)"
    assert words(None) == ""


@pytest.mark.parametrize("kind", ["StartService", "RedeployDeployment"])
def test_a_start_from_zero_is_no_deploy(kind: str) -> None:
    started = made("started", "8", minutes=2)

    assert words(INGEST, act(kind, "started"), ingest=[started]).startswith("no deploy of ingest ")
    assert words(INGEST, act(kind, "started"), ingest=[started, made("bad", "e")]).startswith("deploy e0123456 11:50")


def test_a_restart_is_none_either_and_takes_no_deploy_away() -> None:
    assert words(INGEST, act("RestartDeployment", "bad"), ingest=[made("bad", "e")]).startswith("deploy e0123456")


def test_a_deployment_made_by_a_run_names_the_run_and_the_person() -> None:
    back = [made("back", "8")]

    assert words(INGEST, act("RollBackDeployment", "back"), ingest=back) == (
        "rolled back to 80123456 by Ben Osei (run 5) 11:50 UTC"
    )
    assert words(INGEST, act("DeployCommit", "back"), name="", ingest=back) == "deploy 80123456 (run 5) 11:50 UTC"


def test_a_skipped_deployment_is_no_deploy() -> None:
    skipped = made("left out", "e", status=DeploymentStatus.SKIPPED)

    assert words(INGEST, ingest=[skipped]).startswith("no deploy of ingest ")


def test_a_deployment_beyond_the_limit_is_not_recent() -> None:
    minutes = LOOK_BACK / timedelta(minutes=1)

    assert words(INGEST, ingest=[made("a", "e", minutes=minutes)]).startswith("deploy")
    assert words(INGEST, ingest=[made("a", "e", minutes=minutes + 1)]).startswith("no deploy")


def test_last_deploys_is_empty_for_a_service_that_railway_did_not_return() -> None:
    assert last_deploys(Facts(NOW, {}, (), lambda _: "", system=RUNBOOK), INGEST) == ""


def test_a_deployment_is_remembered_with_its_newest_status_until_it_is_old() -> None:
    building, old = made("bad", "e", status=DeploymentStatus.BUILDING), made("old", "8", minutes=119)
    known = remember_deployments({}, {INGEST: replace(state(INGEST, current=old), latest=building)}, NOW)
    crashed = replace(building, status=DeploymentStatus.CRASHED)

    later = remember_deployments(known, {INGEST: ServiceState(INGEST, "s", (), crashed)}, NOW + timedelta(minutes=5))

    assert set(known[INGEST]) == {building, replace(old, instances=state(INGEST).active[0].instances)}
    assert later == {INGEST: (crashed,)}


def suspect(*acts: ServiceAct, beats: Sequence[Heartbeat] = (), **deployments: list[Deployment]) -> Suspect | None:
    known = {one: tuple(deployments.get(one.short, ())) for one in RUNBOOK.services}
    return find_suspect(Facts(NOW, known, acts, lambda _: "", beats, {INGEST: 1}, system=RUNBOOK), INGEST)


def test_the_newest_deploy_is_suspected_unless_it_brought_back_what_ran_before() -> None:
    one = made("bad", "e", status=DeploymentStatus.CRASHED)

    assert suspect(ingest=[made("good", "8", minutes=90), one]) == Suspect(one.created_at, crashed_sha=one.commit_sha)
    assert suspect(act("RollBackDeployment", "bad"), ingest=[one]) is None
    assert suspect(act("RedeployDeployment", "bad"), ingest=[one]) is None  # the same commit again
    assert suspect(api=[one]) is None
    assert suspect() is None


@pytest.mark.parametrize(("worked", "is_suspected"), [(WORKED_AFTER - SECOND, True), (WORKED_AFTER, False)])
def test_a_deploy_whose_process_had_worked_before_it_died_is_not_suspected(
    worked: timedelta, is_suspected: bool
) -> None:
    killed = made("now", "e", status=DeploymentStatus.CRASHED)
    row = worker_beat("w", began=killed.created_at, worked=worked)

    assert (suspect(ingest=[killed], beats=[row]) is not None) is is_suspected


def test_a_deploy_whose_process_dies_again_and_again_is_suspected() -> None:
    crashing = made("now", "e", status=DeploymentStatus.CRASHED)
    rows = [worker_beat(name, began=crashing.created_at, worked=WORKED_AFTER) for name in ("a", "b")]

    assert suspect(ingest=[crashing], beats=rows) is not None


@pytest.mark.parametrize(("ran", "explains"), [(RAN_WELL, True), (RAN_WELL + SECOND, False)])
def test_a_deploy_that_ran_well_for_minutes_explains_no_later_problem(ran: timedelta, explains: bool) -> None:
    assert Suspect(NOW - timedelta(hours=1), live_at=NOW - ran).explains(NOW) is explains
    assert Suspect(NOW - timedelta(hours=1)).explains(NOW)  # it never went live


@pytest.mark.parametrize(
    ("answered", "is_suspected"),
    [
        (AnsweredWell("e0123456", NOW - timedelta(minutes=9), NOW - timedelta(minutes=9) + WORKED_AFTER), False),
        (
            AnsweredWell("e0123456", NOW - timedelta(minutes=9), NOW - timedelta(minutes=9) + WORKED_AFTER - SECOND),
            True,
        ),
        (AnsweredWell("e0123456", NOW - timedelta(minutes=9), NOW, spans=2), True),
        (AnsweredWell("e0123456", NOW - timedelta(minutes=11), NOW), True),
        (AnsweredWell("80123456", NOW - timedelta(minutes=9), NOW), True),
        (AnsweredWell(None, NOW - timedelta(minutes=9), NOW), True),
        (None, True),
    ],
)
def test_a_deploy_whose_api_had_answered_well_before_it_died_is_not_suspected(
    answered: AnsweredWell | None, is_suspected: bool
) -> None:
    killed = made("now", "e", status=DeploymentStatus.CRASHED)
    facts = Facts(NOW, {API: (killed,)}, (), lambda _: "", answered=answered, system=RUNBOOK)

    assert (find_suspect(facts, API) is not None) is is_suspected


def test_only_a_deploy_that_crashed_is_known_to_be_the_cause() -> None:
    crashed = suspect(ingest=[made("bad", "e", status=DeploymentStatus.CRASHED)])
    running, building = (suspect(ingest=[made("now", "e", status=one)]) for one in (DeploymentStatus.SUCCESS, BUILDING))

    assert crashed is not None
    assert crashed.known_cause(INGEST) == KnownCause(
        "deploy e0123456 of ingest crashes at start", NOW - timedelta(minutes=10), "rollback ingest"
    )
    assert [one and one.known_cause(INGEST) for one in (running, building)] == [None, None]


def worker_beat(name: str, *, began: datetime, worked: timedelta) -> Heartbeat:
    return replace(beat(name), started_at=began, last_heartbeat_at=began + worked, git_sha=sha("e"))
