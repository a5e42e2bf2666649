"""The plan of `rollback`: to a commit or a deployment, of several services, and also without the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from playbooks.model import NoPlan, Risk
from playbooks.plan import Plan
from playbooks.rollback import Facts, find_offer, plan
from playbooks.steps import (
    AwaitDeployment,
    FreezeAutoDeploy,
    LockService,
    RollBackDeployment,
    VerifyApiHealth,
    VerifyHeartbeats,
    VerifySha,
)
from services.domain.database import AppliedMigration, MigrationStatus
from services.domain.deployments import Deployment, DeploymentStatus, ServiceState, VariableChange
from services.domain.errors import Unavailable
from services.domain.jobs import JobOutcomes
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.unit.playbooks.builders import (
    NOW,
    beat,
    deployment,
    load,
    made,
    refused,
    running_job,
    sha,
    state,
    states,
    stopped,
)

API, INGEST, ENFORCEMENT = Service.API, Service.INGEST, Service.ENFORCEMENT
ALL = (*RUNBOOK.workers, API)
AWAY = Unavailable("database", "no answer within 5 s")
REMOVED = DeploymentStatus.REMOVED


def history(service: Service, *more: Deployment) -> list[Deployment]:
    """The active deployment (commit c), and those of the commits b and a before it."""
    short = service.short
    return [
        deployment(f"d-{short}", sha("c")),
        deployment(f"b-{short}", sha("b"), age_h=25, status=REMOVED, ended_h=1),
        deployment(f"a-{short}", sha("a"), age_h=169, status=REMOVED, ended_h=25),
        *more,
    ]


def facts(*changed: ServiceState, **listed: Sequence[Deployment]) -> Facts:
    """`listed`: the deployments of a service, by its short name."""
    deployments = {service: listed.get(service.short, history(service)) for service in RUNBOOK.services}
    outcomes = {one.id: JobOutcomes(999, 1) for ones in deployments.values() for one in ones}
    unchanged: dict[Service, list[VariableChange] | Unavailable] = {service: [] for service in RUNBOOK.services}
    applied = MigrationStatus((), (), (), ())
    return Facts("prod", NOW, states(*changed), deployments, outcomes, applied, load(), unchanged, schema={})


def test_freezes_goes_back_locks_and_proves() -> None:
    planned = made(plan(facts(), "api", [API], sha("b")[:8]))

    assert planned.steps == (
        FreezeAutoDeploy(API),
        RollBackDeployment(API, "d-api", "b-api", sha("b")),
        AwaitDeployment(API, 300),
        LockService(API, f"rolled back from {sha('c')[:8]} to {sha('b')[:8]}"),
        VerifySha(API, sha("b"), 120),
        VerifyApiHealth(120),
    )
    assert planned.title == f"Roll back api: {sha('c')[:8]} → {sha('b')[:8]}"
    assert (planned.risk, planned.warnings) == (Risk.HIGH, ())
    assert planned.undo == f"rollback api to {sha('c')[:8]}"


def test_reports_what_it_does_in_words_and_numbers() -> None:
    busy = load(beats=[beat("ingest-1")], running=[running_job(1, "ingest-1", age_s=240)], pending=318)

    planned = made(plan(replace(facts(), load=busy), "ingest", [INGEST], sha("b")))

    *numbers, variables, lock = planned.impact
    assert numbers == [
        f"ingest: {sha('c')[:8]} (Message of d-ingest) → {sha('b')[:8]} (Message of b-ingest)",
        f"{sha('b')[:8]} ran 24 h, 1 of 1000 jobs failed",
        "restarts 1 worker holding 1 job, oldest since 11:56 UTC; 318 pending",
        "running jobs: job-1 (simplicity_ingest)",
    ]
    assert "variables" in variables
    assert variables.endswith("them since")
    assert lock.endswith("until unlock")


def test_names_the_variables_that_changed_after_the_target_was_deployed() -> None:
    since, before = NOW - timedelta(hours=24.9), NOW - timedelta(hours=25)  # b was deployed 25 hours ago
    changes = [VariableChange(since, ("DB_URL", "API_KEY")), VariableChange(before, ("OLD_NEWS",))]

    planned = made(plan(replace(facts(), variable_changes={API: changes}), "api", [API], sha("b")))

    assert [line for line in planned.impact if line.endswith(": API_KEY, DB_URL")]


def test_variables_that_no_one_knows_of_are_reported_to_be_unknown() -> None:
    blind = replace(facts(), variable_changes={API: Unavailable("Railway", "Not Authorized")})

    planned = made(plan(blind, "api", [API], sha("b")))

    [variables] = [line for line in planned.impact if "variables" in line]
    assert variables.endswith(" unknown: Not Authorized")
    assert planned.hash == made(plan(facts(), "api", [API], sha("b"))).hash


def test_rollback_of_all_is_one_plan_with_workers_first_and_each_sha_last() -> None:
    planned = made(plan(facts(state(INGEST, replicas=2)), "all", ALL, sha("b")))

    acts = [step.service for step in planned.steps if isinstance(step, RollBackDeployment)]
    assert acts == [INGEST, ENFORCEMENT, API]
    assert planned.steps[:3] == tuple(FreezeAutoDeploy(service) for service in ALL)
    assert planned.steps[-3:] == tuple(VerifySha(service, sha("b"), 120) for service in ALL)
    assert VerifyHeartbeats(INGEST, 2, 180) in planned.steps
    assert planned.services == frozenset(RUNBOOK.services)
    assert planned.undo == "; ".join(f"rollback {one} to {sha('c')[:8]}" for one in ("ingest", "enforcement", "api"))


def test_a_service_that_serves_the_commit_already_is_only_verified() -> None:
    there = deployment("there", sha("b"))

    planned = made(plan(facts(state(API, current=there), api=[there]), "all", ALL, sha("b")))

    assert [step.service for step in planned.steps if isinstance(step, RollBackDeployment)] == [*RUNBOOK.workers]
    assert planned.steps[-1] == VerifySha(API, sha("b"), 120)


def test_without_a_target_the_recommended_one_comes_first() -> None:
    offer = refused(plan(facts(), "api", [API]))

    assert [step.command for step in offer.next_steps] == [
        f"rollback api to {sha('b')[:8]}",
        f"rollback api to {sha('a')[:8]}",
    ]
    assert "is recommended, ran 24 h, 1 of 1000 jobs failed" in offer.why


def test_each_label_fits_on_its_button() -> None:
    offers = [
        plan(facts(), "enforcement", [ENFORCEMENT]),
        plan(facts(enforcement=[]), "enforcement", [ENFORCEMENT], sha("b")),
    ]

    assert all(len(step.label) <= 30 for offer in offers for step in refused(offer).next_steps)


def test_a_deployment_can_be_named_even_of_the_commit_that_serves() -> None:
    earlier = deployment("other-variables", sha("c"), age_h=3, status=REMOVED)

    planned = made(plan(facts(api=history(API, earlier)), "api", [API], "other-variables"))

    assert planned.steps[1] == RollBackDeployment(API, "d-api", "other-variables", sha("c"))
    assert planned.parameters == {"service": "api", "to": "other-variables"}
    assert planned.undo == "rollback api to d-api"


def test_a_deployment_belongs_to_one_service() -> None:
    assert refused(plan(facts(), "all", ALL, "b-api")).next_steps[0].command == "rollback api to b-api"


def test_a_prefix_of_two_commits_is_refused() -> None:
    twin = deployment("twin", sha("b")[:8] + "f" * 32, age_h=30, status=REMOVED)

    why = refused(plan(facts(api=history(API, twin)), "api", [API], sha("b")[:8])).why

    assert "one commit" in why


@pytest.mark.parametrize("to", ["d-api", sha("c"), sha("c")[:7]])
def test_the_active_deployment_is_no_rollback_target(to: str) -> None:
    assert "already" in refused(plan(facts(), "api", [API], to)).why


@pytest.mark.parametrize("to", ["b-api", sha("b")])
def test_without_an_image_a_rebuild_is_offered(to: str) -> None:
    gone = [replace(one, can_rollback=False) for one in history(API)]

    offer = refused(plan(facts(api=gone), "api", [API], to))

    assert offer.next_steps[0].command == f"deploy api {sha('b')}"


def test_without_any_image_the_best_rebuild_is_offered() -> None:
    gone = [replace(one, can_rollback=False) for one in history(API)]

    assert refused(plan(facts(api=gone), "api", [API])).next_steps[0].command == f"deploy api {sha('b')}"


def test_a_commit_that_railway_does_not_list_can_be_built() -> None:
    assert refused(plan(facts(), "api", [API], "0ddba11")).next_steps[0].command == "deploy api 0ddba11"


def test_a_commit_that_one_of_them_never_had_is_named() -> None:
    only_now = [deployment("d-ingest", sha("c"))]

    assert "ingest never ran" in refused(plan(facts(ingest=only_now), "workers", RUNBOOK.workers, sha("b"))).why


def test_a_crashed_service_goes_back_from_the_deployment_that_crashed() -> None:
    crashed = deployment("d-api", sha("c"), status=DeploymentStatus.CRASHED)
    down = ServiceState(API, "s", (), crashed, replicas_configured=1)

    planned = made(plan(facts(down), "api", [API], sha("b")))

    assert planned.steps[1] == RollBackDeployment(API, "d-api", "b-api", sha("b"))


def test_the_database_blocks_nothing() -> None:
    silent = replace(load(), queue=AWAY, running=AWAY, beats=AWAY)
    blind = replace(facts(), outcomes=AWAY, migrations=AWAY, load=silent)

    planned = made(plan(blind, "api", [API], sha("b")))

    assert planned.hash == made(plan(facts(), "api", [API], sha("b"))).hash
    assert len(planned.warnings) == 3


def test_newer_migrations_are_a_warning() -> None:
    applied = AppliedMigration("20260105000000", "new", NOW, None)
    set_up = replace(applied, version="20251201000000", executed_at=NOW - timedelta(days=90))
    newer = replace(facts(), migrations=MigrationStatus((set_up, applied), (), (), ()))

    (warning,) = made(plan(newer, "api", [API], sha("b"))).warnings

    assert warning.startswith("1 migration applied since")


def test_rollback_plan_warns_that_it_starts_a_stopped_service() -> None:
    planned = made(plan(facts(stopped(INGEST, replicas=2)), "ingest", [INGEST], sha("b")))

    assert "ingest is stopped, and a rollback starts it" in planned.warnings
    assert VerifyHeartbeats(INGEST, 2, 180) in planned.steps


def test_a_deployment_on_its_way_is_named() -> None:
    coming = replace(state(API), latest=deployment("x", sha("e"), status=DeploymentStatus.BUILDING))

    assert (
        f"a deployment of {sha('e')[:8]} to api is in progress: this replaces it"
        in made(plan(facts(coming), "api", [API], sha("b"))).warnings
    )


def test_unknown_replicas_are_not_counted_afterwards() -> None:
    planned = made(plan(facts(state(INGEST, replicas=None)), "ingest", [INGEST], sha("b")))

    assert not any(isinstance(step, VerifyHeartbeats) for step in planned.steps)
    assert any("not counted" in warning for warning in planned.warnings)


def test_an_unknown_commit_is_rolled_back_to_and_not_verified() -> None:
    nameless = replace(deployment("nameless", "", age_h=30, status=REMOVED))

    planned = made(plan(facts(api=history(API, nameless)), "api", [API], "nameless"))

    assert not any(isinstance(step, VerifySha) for step in planned.steps)
    assert any("cannot be verified" in warning for warning in planned.warnings)


def test_without_railway_there_is_no_plan() -> None:
    silent = replace(facts(), deployments={API: Unavailable("Railway", "HTTP 500")})

    assert refused(plan(silent, "api", [API], sha("b"))).why.startswith("Railway is required")
    assert isinstance(find_offer(silent, "api", [API]), NoPlan)


def test_the_candidates_are_there_for_a_person_to_choose() -> None:
    found = find_offer(facts(), "api", [API])

    assert not isinstance(found, NoPlan)
    assert [(one.sha, one.recommended) for one in found.candidates] == [(sha("b"), True), (sha("a"), False)]


UPLOADED = "3f2a9c1e-77aa-4bbb-8ccc-0123456789ab"


def without_commits() -> Facts:
    """Facts of an API deployed by `railway up`, and before that as an image: no deployment has a commit."""
    now = replace(deployment("5b6c7d8e-77aa-4bbb-8ccc-0123456789ab", "", age_h=0.5), commit_message=None)
    uploaded = replace(
        deployment(UPLOADED, "", age_h=30, status=REMOVED, ended_h=0.5), commit_message=None, image="ghcr.io/x/api:1.2"
    )
    return facts(state(API, current=now), api=[now, uploaded])


def test_deployments_without_a_commit_are_offered_by_their_ids() -> None:
    offer = refused(plan(without_commits(), "api", [API]))

    assert [step.command for step in offer.next_steps] == ["rollback api to 3f2a9c1e"]
    assert "deployment 3f2a9c1e is recommended" in offer.why


@pytest.mark.parametrize("to", [UPLOADED, UPLOADED[:8], UPLOADED[:13]])
def test_eight_characters_of_an_id_are_recognised(to: str) -> None:
    planned = made(plan(without_commits(), "api", [API], to))

    assert planned.steps[1] == RollBackDeployment(API, "5b6c7d8e-77aa-4bbb-8ccc-0123456789ab", UPLOADED, "")
    assert "deployment 3f2a9c1e" in planned.steps[1].describe()
    assert planned.parameters == {"service": "api", "to": UPLOADED}
    assert planned.title == "Roll back api: deployment 5b6c7d8e → deployment 3f2a9c1e"
    assert planned.impact[0] == "api: deployment 5b6c7d8e → deployment 3f2a9c1e (ghcr.io/x/api:1.2)"


def test_a_beginning_that_two_deployments_share_is_refused() -> None:
    twin = deployment(UPLOADED[:8] + "-88aa-4bbb-8ccc-0123456789ab", "", age_h=40, status=REMOVED)
    both = without_commits()
    both = replace(both, deployments={**both.deployments, API: [*list_of(both), twin]})

    assert "one deployment" in refused(plan(both, "api", [API], UPLOADED[:8])).why
    assert isinstance(plan(both, "api", [API], UPLOADED), Plan)


def list_of(some: Facts) -> list[Deployment]:
    listed = some.deployments[API]
    assert not isinstance(listed, Unavailable)
    return list(listed)


def test_a_plan_warns_once_of_an_unproven_target() -> None:
    brief = deployment("b-api", sha("b"), age_h=1.5, status=REMOVED, ended_h=1)

    planned = made(plan(facts(api=[deployment("d-api", sha("c")), brief]), "api", [API], sha("b")))

    [posted] = [line for line in (*planned.impact, *planned.warnings) if "ran 30 min, not an hour" in line]
    assert posted.startswith(f"{sha('b')[:8]} is not proven: ")
    assert posted.endswith(", 1 of 1000 jobs failed")


def test_to_a_newer_version_it_returns() -> None:
    back = deployment("back", sha("b"), age_h=0.1)
    listed = [back, *(replace(one, status=REMOVED) for one in history(API))]

    planned = made(plan(facts(state(API, current=back), api=listed), "api", [API], sha("c")))

    assert planned.title == f"Return api: {sha('b')[:8]} → {sha('c')[:8]}"
