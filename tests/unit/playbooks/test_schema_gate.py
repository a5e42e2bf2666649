"""The effect of migrations on the plans of deploys and rollbacks; what was not examined is never called harmless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from playbooks import deploy, rollback
from playbooks.model import NoPlan, Risk
from playbooks.plan import Plan
from playbooks.revert import applied_since_it_served
from playbooks.schema_gate import Schema, effect_lines
from services.domain.database import AppliedMigration, MigrationStatus
from services.domain.deployments import Deployment, DeploymentStatus
from services.domain.errors import Unavailable
from services.domain.schema import MISSING, Effect, Examination
from services.domain.services import Service
from tests.unit.playbooks import test_deploy, test_rollback
from tests.unit.playbooks.builders import NOW, deployment, made, refused, sha, state

API, INGEST = Service.API, Service.INGEST
NAME = "20251209000000_forget"
DROPS = Effect("drops column ops.job_queue.note", 3, is_destructive=True, breaks_older=True)
BUILDS = Effect("adds an index to ops.job_queue, which blocks its writers meanwhile", 5, is_destructive=True)
ADDS = Effect("adds column ops.job_queue.remark", 1)
UNKNOWN = Unavailable("schema", MISSING)
FAILED = Unavailable("schema", "no answer within 5 s", is_outage=True)


def schema(*effects: Effect, unexamined: tuple[str, ...] = ()) -> Schema:
    return {NAME: Examination(effects, unexamined, lint=())}


def deploying(found: Schema, **more: object) -> deploy.Facts:
    facts = replace(test_deploy.facts(pending=(NAME,)), schema=found, examined_of=sha("e"))
    return replace(facts, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "risk"),
    [
        (schema(ADDS), Risk.HIGH),
        (schema(ADDS, DROPS), Risk.CRITICAL),
        (schema(BUILDS), Risk.CRITICAL),
        (schema(unexamined=("DO in line 1",)), Risk.HIGH),
        (UNKNOWN, Risk.HIGH),
        (FAILED, Risk.CRITICAL),
        ({}, Risk.HIGH),
    ],
)
def test_deploy_with_a_destructive_migration_is_critical(found: Schema, risk: Risk) -> None:
    assert made(deploy.plan(deploying(found), "api", [API], sha("e"))).risk is risk


def test_failed_examination_makes_nothing_critical_when_no_migration_is_pending() -> None:
    assert made(deploy.plan(replace(test_deploy.facts(), schema=FAILED), "api", [API], sha("e"))).risk is Risk.HIGH


def test_deploy_of_a_worker_applies_no_migration() -> None:
    planned = made(deploy.plan(deploying(schema(DROPS)), "ingest", [INGEST], sha("e")))

    assert planned.risk is Risk.HIGH
    assert planned.undo is not None


def test_deploy_says_what_its_migrations_do_and_what_destroys_by_its_line() -> None:
    planned = made(deploy.plan(deploying(schema(ADDS, DROPS)), "api", [API], sha("e")))

    assert f"{NAME}: drops column ops.job_queue.note; adds column ops.job_queue.remark" in planned.impact
    assert f"destructive: {NAME} drops column ops.job_queue.note (line 3)" in planned.warnings
    assert planned.undo is None  # the current code does not work with that schema
    assert made(deploy.plan(deploying(schema(BUILDS)), "api", [API], sha("e"))).undo is not None


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (UNKNOWN, f"not examined: {MISSING}"),
        ({}, f"{NAME} was not examined"),
        (schema(unexamined=("DO in line 1",)), f"{NAME} runs what was not examined: DO in line 1"),
        ({NAME: Examination((ADDS,))}, f"{NAME} was not linted: squawk did not answer"),
        ({NAME: Examination((), lint=("ban-drop-column in line 3",))}, f"squawk on {NAME}: ban-drop-column in line 3"),
    ],
)
def test_deploy_never_calls_harmless_what_was_not_examined(found: Schema, words: str) -> None:
    assert any(words in line for line in made(deploy.plan(deploying(found), "api", [API], sha("e"))).warnings)


def test_deploy_of_a_commit_that_the_bot_has_no_files_of_says_so() -> None:
    facts = deploying({}, migrations=MigrationStatus((), (), (), ()))

    def none_pending(plan: Plan) -> bool:
        return any("no migration" in line for line in plan.impact)

    own, other, former = (made(deploy.plan(facts, "api", [API], sha(one))) for one in "efb")

    assert none_pending(own)
    assert own.warnings == ()
    assert not none_pending(other)
    words = f"migrations that only {sha('f')[:8]} has were not examined: the files compared are those of {sha('e')[:8]}"
    assert words in other.warnings
    assert none_pending(former)  # it ran before, so its migrations are applied


def test_long_list_of_effects_is_cut_with_their_number() -> None:
    many = [Effect(f"adds column a.c{n}", n) for n in range(6)]

    [line] = effect_lines([NAME], schema(*many, DROPS))

    assert line == (
        f"{NAME}: drops column ops.job_queue.note; adds column a.c0; adds column a.c1; adds column a.c2; 3 more"
    )


def rolling(found: Schema, *, applied_h_ago: float = 0.5, unknown: tuple[str, ...] = ()) -> rollback.Facts:
    """Facts of a rollback: b served until 1 h ago, and the migration was applied `applied_h_ago`, which is later."""
    first = AppliedMigration("20251201000000", "all", NOW - timedelta(days=90), None)
    row = AppliedMigration(NAME.partition("_")[0], "forget", NOW - timedelta(hours=applied_h_ago), None)
    return replace(test_rollback.facts(), schema=found, migrations=MigrationStatus((first, row), (), (), unknown))


def test_rollback_over_a_migration_that_breaks_the_old_code_is_refused_for_that_of_the_schema() -> None:
    why_not = refused(rollback.plan(rolling(schema(DROPS)), "api", [API], sha("b")))

    assert f"{NAME} drops column ops.job_queue.note (line 3)" in why_not.why
    assert why_not.next_steps[0].command == "rollback-db 20251209000000"


@pytest.mark.parametrize(
    "facts",
    [rolling(schema(ADDS, BUILDS)), rolling(schema(DROPS), applied_h_ago=26), rolling(UNKNOWN), rolling({})],
    ids=["compatible", "before it ran", "not examined", "of the bot's own schema"],
)
def test_rollback_that_nothing_known_breaks_is_planned(facts: rollback.Facts) -> None:
    assert made(rollback.plan(facts, "api", [API], sha("b"))).risk is Risk.HIGH


def test_return_to_a_newer_commit_is_refused_only_for_a_migration_that_came_after_it() -> None:
    back = deployment("back", sha("b"), age_h=0.5)
    removed, at = DeploymentStatus.REMOVED, back.created_at
    listed = [back, *(replace(one, status=removed, status_updated_at=at) for one in test_rollback.history(API))]

    def returning(applied_h_ago: float) -> rollback.Facts:
        found = test_rollback.facts(state(API, current=back), api=listed)
        return replace(found, schema=schema(DROPS), migrations=rolling({}, applied_h_ago=applied_h_ago).migrations)

    assert made(rollback.plan(returning(0.6), "api", [API], sha("c"))).title.startswith("Return api: ")
    why_not = refused(rollback.plan(returning(0.4), "api", [API], sha("c")))

    assert f"{NAME} drops column ops.job_queue.note (line 3)" in why_not.why


def test_migrations_that_set_the_database_up_break_no_code() -> None:
    facts = rolling(schema(DROPS))
    assert isinstance(facts.migrations, MigrationStatus)
    only = replace(facts, migrations=replace(facts.migrations, applied=facts.migrations.applied[1:]))

    assert made(rollback.plan(only, "api", [API], sha("b"))).risk is Risk.HIGH


def test_rollback_to_the_deployment_is_refused_as_one_to_its_commit() -> None:
    why_not = refused(rollback.plan(rolling(schema(DROPS)), "api", [API], "b-api"))

    assert "not work with" in why_not.why


def test_rollback_says_what_was_not_examined() -> None:
    def warnings(facts: rollback.Facts) -> str:
        return " | ".join(made(rollback.plan(facts, "api", [API], sha("b"))).warnings)

    assert f"not examined: {MISSING}" in warnings(rolling(UNKNOWN))
    assert "runs what was not examined: DO in line 1" in warnings(rolling(schema(unexamined=("DO in line 1",))))
    assert "have its file" in warnings(rolling({}, unknown=(NAME.partition("_")[0],)))


def test_nothing_is_offered_that_the_schema_does_not_fit() -> None:
    offer = rollback.find_offer(rolling(schema(DROPS)), "api", [API])

    assert not isinstance(offer, NoPlan)
    assert [(one.name, one.is_possible, one.recommended) for one in offer.candidates] == [
        (sha("b")[:8], False, False),
        (sha("a")[:8], False, False),
    ]
    why_not = refused(rollback.plan(rolling(schema(DROPS)), "api", [API]))
    assert "not work with" in why_not.why


def test_deploy_of_a_commit_that_a_migration_has_left_behind_says_so_and_is_critical() -> None:
    def planned(found: Schema) -> Plan:
        return made(deploy.plan(deploying({}, since=(NAME,), since_schema=found), "ingest", [INGEST], sha("b")))

    left_behind = planned(schema(DROPS))
    assert left_behind.risk is Risk.CRITICAL
    [broken] = [line for line in left_behind.warnings if line.startswith(f"{sha('b')[:8]} does not work")]
    assert broken.endswith(f": {NAME} drops column ops.job_queue.note (line 3)")
    assert any(line.startswith("rollback-db 20251209000000 rolls") for line in left_behind.warnings)
    assert [planned(found).risk for found in (schema(ADDS, BUILDS), UNKNOWN, FAILED)] == [
        Risk.HIGH,
        Risk.HIGH,
        Risk.CRITICAL,
    ]
    assert any(f"not examined: {MISSING}" in line for line in planned(UNKNOWN).warnings)


def test_migrations_since_a_commit_are_those_after_the_first_service_left_it() -> None:
    """A service that serves the commit has not left it."""
    ingest = deployment("b-ingest", sha("b"), age_h=9)
    left = replace(ingest, status=DeploymentStatus.REMOVED, status_updated_at=NOW - timedelta(minutes=6))
    listed = {API: test_rollback.history(API), INGEST: [ingest]}
    then = {API: listed[API], INGEST: [deployment("d-ingest", sha("c"), age_h=0.1), left]}
    status = rolling({}).migrations
    assert isinstance(status, MigrationStatus)

    def since(
        part: str,
        *,
        of: Mapping[Service, Sequence[Deployment]] = listed,
        found: MigrationStatus | Unavailable = status,
    ) -> list[str]:
        return [one.title for one in applied_since_it_served(part, of, found, NOW)]

    assert since(sha("a")[:8]) == [NAME]
    assert since(sha("b")) == [NAME], "ingest serves it, the API left it before the migration"
    assert since(sha("b"), of={INGEST: listed[INGEST]}) == [], "it serves it still"
    assert since(sha("b"), of=then) == [NAME], "ingest left it after the migration, the API before"
    assert since(sha("b"), of={INGEST: then[INGEST]}) == [], "ingest left it after the migration"
    assert since(sha("e")) == [], "it never served"
    assert since(sha("a"), found=Unavailable("Postgres", "no answer")) == []


def test_rollback_of_several_services_is_refused_for_a_migration_that_one_of_them_has_not_run_on() -> None:
    """`deploy all` applies migrations with the API, minutes before the workers get the new code."""
    late = deployment("d-ingest", sha("c"), age_h=0.1)
    left = replace(test_rollback.history(INGEST)[1], status_updated_at=late.created_at)
    facts = rolling(schema(DROPS))
    facts = replace(facts, deployments={**facts.deployments, INGEST: [late, left]})

    why_not = refused(rollback.plan(facts, "all", [API, INGEST], sha("b")))

    assert f"{NAME} drops column ops.job_queue.note (line 3)" in why_not.why
    assert made(rollback.plan(facts, "ingest", [INGEST], sha("b"))).risk is Risk.HIGH


def test_deploy_of_an_older_commit_is_a_revert_that_names_what_it_takes_back() -> None:
    listed = [
        replace(deployment("d-api", sha("d"), age_h=1), author="Ann"),
        replace(deployment("c-api", sha("c"), age_h=2), author=None),
        deployment("b-api", sha("b"), age_h=3),
        deployment("a-api", sha("a"), age_h=4),
    ]
    running = state(API)
    assert running.serving is not None
    current = replace(running, active=(replace(listed[0], instances=running.serving.instances),), latest=listed[0])
    facts = replace(test_deploy.facts(current), deployments={API: listed})

    planned = made(deploy.plan(facts, "api", [API], sha("b")))

    assert planned.title.startswith("Revert api: ")
    assert [line for line in planned.impact if line.startswith("undoes")] == [
        f"undoes {sha('d')[:8]} (Message of d-api) by Ann",
        f"undoes {sha('c')[:8]} (Message of c-api)",
    ]
    newer = made(deploy.plan(facts, "api", [API], sha("e")))
    assert newer.title.startswith("Deploy api: ")
    assert any("older is unknown" in line for line in newer.impact)
