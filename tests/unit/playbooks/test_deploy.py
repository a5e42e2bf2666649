"""The plans of `deploy` and `redeploy`: explicit commits only, no way past a lock, migrations first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from playbooks import deploy, redeploy
from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.schema_gate import MIGRATIONS_UNKNOWN
from playbooks.steps import (
    AwaitDeployment,
    DeployCommit,
    RedeployDeployment,
    Step,
    VerifyApiHealth,
    VerifyHeartbeats,
    VerifySha,
)
from services.domain.database import MigrationStatus
from services.domain.deployments import DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.freezes import Lock
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.unit.playbooks.builders import NOW, deployment, load, made, refused, sha, state, states, stopped

API, INGEST, ENFORCEMENT = Service.API, Service.INGEST, Service.ENFORCEMENT
ALL = (*RUNBOOK.workers, API)
AWAY = Unavailable("database", "no answer within 5 s")
LOCK = Lock(INGEST, "U123", "rolled back from c to b", NOW - timedelta(hours=3), run_id=7)


def facts(*changed: ServiceState, pending: tuple[str, ...] = (), locks: Sequence[Lock] = ()) -> deploy.Facts:
    listed = {
        service: [deployment(f"d-{service.short}"), deployment("old", sha("b"), age_h=9)]
        for service in RUNBOOK.services
    }
    held = {lock.service: lock for lock in locks}
    return deploy.Facts(
        "prod",
        NOW,
        states(*changed),
        listed,
        held,
        MigrationStatus((), pending, (), ()),
        load(),
        schema={},
        examined_of=sha("e"),
    )


def again(*changed: ServiceState, locks: Sequence[Lock] = ()) -> redeploy.Facts:
    return redeploy.Facts("prod", NOW, states(*changed), {lock.service: lock for lock in locks}, load())


def kinds(steps: Sequence[Step]) -> list[str]:
    return [type(step).__name__ for step in steps]


def test_builds_deploys_and_proves() -> None:
    planned = made(deploy.plan(facts(), "ingest", [INGEST], sha("e")))

    assert planned.steps == (
        DeployCommit(INGEST, sha("e"), "d-ingest"),
        AwaitDeployment(INGEST, 1200),
        VerifySha(INGEST, sha("e"), 120),
        VerifyHeartbeats(INGEST, 1, 180),
    )
    assert planned.risk is Risk.HIGH
    assert planned.undo == f"rollback ingest to {sha('c')[:8]}"


def test_the_api_goes_first_because_it_migrates() -> None:
    planned = made(deploy.plan(facts(), "all", ALL, sha("e")))

    assert [step.service for step in planned.steps if isinstance(step, DeployCommit)] == [API, INGEST, ENFORCEMENT]
    assert VerifyApiHealth(120) in planned.steps
    assert planned.services == frozenset(RUNBOOK.services)


def test_a_known_commit_may_be_written_short_and_is_stored_whole() -> None:
    planned = made(deploy.plan(facts(), "api", [API], sha("b")[:7]))

    assert planned.parameters == {"service": "api", "sha": sha("b")}
    assert made(deploy.plan(facts(), "api", [API], sha("b"))).hash == planned.hash


@pytest.mark.parametrize(("length", "is_planned"), [(39, False), (40, True)])
def test_an_unknown_commit_has_to_be_written_whole(length: int, is_planned: bool) -> None:
    assert isinstance(deploy.plan(facts(), "api", [API], sha("e")[:length]), Plan) is is_planned


SILENT = Unavailable("Railway", "no answer within 5 s")


def test_commit_is_unknown_and_not_new_while_railway_does_not_list_deployments() -> None:
    """It may be an old commit that needs columns which are gone."""
    unread = replace(facts(), deployments=dict.fromkeys(RUNBOOK.services, SILENT))

    planned = made(deploy.plan(unread, "workers", RUNBOOK.workers, sha("b")))
    refusal = refused(deploy.plan(unread, "api", [API], sha("b")[:8]))

    assert "not built yet" not in " ".join(planned.impact)
    assert f"ingest: {sha('c')[:8]} (Message of d-ingest) → {sha('b')[:8]}" in planned.impact
    assert planned.warnings[0] == (
        "ingest and enforcement: their deployments are unknown (no answer within 5 s), so whether this takes commits "
        f"back, and which migrations came after {sha('b')[:8]}, was not examined"
    )
    assert refusal.is_unknown
    assert "never seen" not in refusal.why


def test_service_whose_deployments_are_unknown_is_named_beside_others() -> None:
    listed = facts().deployments
    one = replace(facts(), deployments={**listed, INGEST: SILENT})

    assert (
        made(deploy.plan(one, "all", ALL, sha("b")[:8])).warnings[0].startswith("ingest: its deployments are unknown")
    )
    assert "unknown (no answer" not in " ".join(made(deploy.plan(one, "api", [API], sha("b"))).warnings)


def test_a_prefix_of_two_commits_is_refused() -> None:
    twin = deployment("twin", sha("b")[:8] + "f" * 32, age_h=30)
    doubled = replace(facts(), deployments={API: [deployment("old", sha("b")), twin]})

    assert "one commit" in refused(deploy.plan(doubled, "api", [API], sha("b")[:8])).why


def test_a_service_that_serves_the_commit_is_left_alone() -> None:
    there = state(INGEST, current=deployment("there", sha("e")))

    planned = made(deploy.plan(facts(there), "workers", RUNBOOK.workers, sha("e")))

    assert [step.service for step in planned.steps if isinstance(step, DeployCommit)] == [ENFORCEMENT]
    assert "runs" in refused(deploy.plan(facts(there), "ingest", [INGEST], sha("e"))).why


def test_a_first_deploy_starts_from_nothing() -> None:
    fresh = ServiceState(INGEST, "s", replicas_configured=1)

    planned = made(deploy.plan(facts(fresh), "ingest", [INGEST], sha("e")))

    assert planned.steps[0] == DeployCommit(INGEST, sha("e"), None)
    assert (planned.title, planned.undo) == (f"Deploy ingest: nothing → {sha('e')[:8]}", None)


def test_a_lock_refuses_and_names_owner_and_reason() -> None:
    refusal = refused(deploy.plan(facts(locks=[LOCK]), "all", ALL, sha("e")))

    assert refusal.why == "ingest is locked by a person (rolled back from c to b), since 09:00 UTC"
    assert refusal.next_steps[0].command == "run 7"


def test_the_lock_of_another_service_does_not_matter() -> None:
    assert isinstance(deploy.plan(facts(locks=[LOCK]), "api", [API], sha("e")), Plan)


def test_locks_that_cannot_be_read_refuse() -> None:
    refusal = refused(deploy.plan(replace(facts(), locks=AWAY), "api", [API], sha("e")))

    assert refusal.is_unknown


def test_pending_migrations_come_first() -> None:
    warned = made(deploy.plan(facts(pending=("20260101000000_new",)), "api", [API], sha("e"))).warnings

    assert warned[0].startswith("pending migrations: 20260101000000_new")
    assert "no migration" in made(deploy.plan(facts(), "api", [API], sha("e"))).impact[0]


def test_deploy_plan_warns_about_other_deployments_and_stopped_services() -> None:
    coming = replace(state(API), latest=deployment("x", sha("f"), status=DeploymentStatus.BUILDING))
    unsure = replace(facts(coming, stopped(INGEST)), migrations=AWAY)

    warned = made(deploy.plan(unsure, "all", ALL, sha("e"))).warnings

    assert warned == (
        f"{MIGRATIONS_UNKNOWN}: {AWAY.why}",
        f"a deployment of {sha('f')[:8]} to api is in progress: this replaces it",
        "ingest is stopped, and a deploy starts it",
    )


def test_a_redeploy_repeats_what_serves_not_what_came_last() -> None:
    bad = replace(state(INGEST), latest=deployment("bad", sha("f"), status=DeploymentStatus.FAILED))

    planned = made(redeploy.plan(again(bad), INGEST))

    assert planned.steps[0] == RedeployDeployment(INGEST, "d-ingest")
    assert kinds(planned.steps[1:]) == ["AwaitDeployment", "VerifySha", "VerifyHeartbeats"]
    assert planned.undo == "rollback ingest to d-ingest"
    assert planned.warnings == (f"the latest deployment, of {sha('f')[:8]}, is FAILED; this repeats the one that runs",)


def test_a_lock_refuses_a_redeploy_because_variables_change_too() -> None:
    assert "is locked by a person" in refused(redeploy.plan(again(locks=[LOCK]), INGEST)).why


def test_a_redeploy_needs_something_that_serves() -> None:
    crashed = deployment("d-api", status=DeploymentStatus.CRASHED)
    down = replace(state(API), active=(), latest=crashed)

    assert refused(redeploy.plan(again(down), API)).next_steps[0].command == "rollback api"
    assert refused(redeploy.plan(again(stopped(INGEST)), INGEST)).next_steps[0].command == "scale ingest 1"


def test_plan_differs_once_rollback_db_took_the_code_back_which_voids_a_scheduled_deploy() -> None:
    """So `rollback-db` need not void a scheduled deploy: the new plan differs, even if the SQL failed and the same
    code was started again as a new deployment."""
    approved = made(deploy.plan(facts(), "ingest", [INGEST], sha("e")))
    older, again_deployed = deployment("before", sha("b")), deployment("restarted")

    for current, pending in ((older, ("20251201000900_x",)), (older, ()), (again_deployed, ())):
        at_its_time = made(
            deploy.plan(facts(state(INGEST, current=current), pending=pending), "ingest", [INGEST], sha("e"))
        )
        assert at_its_time.steps != approved.steps
    assert made(deploy.plan(facts(), "ingest", [INGEST], sha("e"))).steps == approved.steps
