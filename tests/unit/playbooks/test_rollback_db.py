"""The plan of `rollback-db`: the newest migration only, by a prepared file, while nothing runs, with code that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from playbooks.model import Risk
from playbooks.rollback_db import BRINGS_WITHIN, Facts, plan
from playbooks.steps import (
    ApplySqlFile,
    AwaitDeployment,
    AwaitStopped,
    CheckDatabaseReady,
    RollBackDeployment,
    StartService,
    Step,
    StopService,
    VerifyApiHealth,
    VerifyHeartbeats,
    VerifyNothingRuns,
    VerifySchemaHead,
    VerifySha,
    VerifyStartupLog,
)
from services.domain.database import AppliedMigration, MigrationStatus, PreparedRollback
from services.domain.deployments import Deployment, DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.unit.playbooks.builders import NOW, deployment, load, made, refused, sha, state, states, stopped

API, INGEST, ENFORCEMENT = Service.API, Service.INGEST, Service.ENFORCEMENT
OLD, NEW = "20260101000000", "20260105000000"
RAN_H = 6.0  # hours since the newest migration ran
SECOND_H = 1 / 3600
REMOVED = DeploymentStatus.REMOVED


def listed(service: Service, *, age_h: float, before: bool = True, can_rollback: bool = True) -> list[Deployment]:
    """The active deployment, made `age_h` hours ago, and one before it."""
    short = service.short
    old = deployment(f"old-{short}", sha("b"), age_h=90, status=REMOVED, can_rollback=can_rollback)
    return [deployment(f"d-{short}", age_h=age_h), *([old] if before else [])]


def facts(*changed: ServiceState, age_h: float = RAN_H, before: bool = True, can_rollback: bool = True) -> Facts:
    applied = tuple(
        AppliedMigration(version, "a_name", NOW - timedelta(hours=hours), None)
        for version, hours in ((OLD, 900), (NEW, RAN_H))
    )
    every = {one: listed(one, age_h=age_h, before=before, can_rollback=can_rollback) for one in RUNBOOK.services}
    prepared = {NEW: PreparedRollback(NEW, "f" * 64)}
    status = MigrationStatus(applied, (), (), ())
    return Facts("prod", NOW, states(*changed), every, status, prepared, load())


def of(service: Service, steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if getattr(step, "service", None) is service]


def test_stops_proves_applies_verifies_and_starts_code_that_fits() -> None:
    planned = made(plan(facts(state(INGEST, replicas=2), stopped(ENFORCEMENT)), NEW))

    assert planned.steps == (
        CheckDatabaseReady(),
        StopService(INGEST, "d-ingest", 2),
        AwaitStopped(INGEST, 90),
        VerifyNothingRuns(RUNBOOK.workers),
        ApplySqlFile(NEW, "f" * 64, NEW),
        VerifySchemaHead(OLD),
        RollBackDeployment(INGEST, "d-ingest", "old-ingest", sha("b")),
        AwaitDeployment(INGEST, 300),
        VerifySha(INGEST, sha("b"), 120),
        VerifyStartupLog(INGEST, 120),
        VerifyHeartbeats(INGEST, 2, 180),
        VerifyApiHealth(120),
    )
    assert (planned.risk, planned.undo) == (Risk.CRITICAL, None)
    (ingest,) = (line for line in planned.impact if line.startswith("ingest: its code goes from "))
    assert ingest.endswith(f" to {sha('b')[:8]} (Message of old-ingest), and starts at 2")


def test_the_api_is_stopped_when_asked() -> None:
    planned = made(plan(facts(), NEW, with_api=True))

    assert VerifyNothingRuns((*RUNBOOK.workers, API)) in planned.steps
    assert [type(step).__name__ for step in of(API, planned.steps)] == [
        "StopService",
        "AwaitStopped",
        "RollBackDeployment",
        "AwaitDeployment",
        "VerifySha",
    ]
    assert planned.steps[-1] == VerifyApiHealth(120)
    assert planned.parameters == {"version": NEW, "with_api": "yes"}


@pytest.mark.parametrize(("late_h", "fits"), [(0.0, True), (SECOND_H, False)])
def test_code_made_shortly_before_the_migration_has_probably_brought_it(late_h: float, fits: bool) -> None:
    brings_h = BRINGS_WITHIN / timedelta(hours=1)

    planned = made(plan(facts(age_h=RAN_H + brings_h - late_h), NEW))

    assert (StartService(INGEST, "d-ingest", 1) in planned.steps) is fits


@pytest.mark.parametrize("unknown", [facts(before=False), facts(can_rollback=False)])
def test_unknown_code_starts_as_it_was_and_is_named(unknown: Facts) -> None:
    planned = made(plan(unknown, NEW))

    assert StartService(INGEST, "d-ingest", 1) in planned.steps
    assert "check by hand that the code of ingest, enforcement works without this migration" in planned.warnings


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("20990101000000", "is not applied"),
        (OLD, f", {NEW} is"),
    ],
)
def test_only_the_newest_applied_migration(version: str, why: str) -> None:
    assert why in refused(plan(facts(), version)).why


def test_only_with_a_prepared_file() -> None:
    refusal = refused(plan(replace(facts(), rollbacks={}), NEW))

    assert refusal.why.endswith(f" no sql/rollbacks/{NEW}_rollback.sql")
    assert not refusal.is_unknown


def test_the_first_migration_leads_to_none() -> None:
    only = AppliedMigration(NEW, "a_name", NOW - timedelta(hours=RAN_H), None)

    planned = made(plan(replace(facts(), migrations=MigrationStatus((only,), (), (), ())), NEW))

    assert VerifySchemaHead(None) in planned.steps


@pytest.mark.parametrize("source", ["states", "migrations", "deployments"])
def test_nothing_is_planned_blindly(source: str) -> None:
    away = Unavailable("a source", "no answer within 5 s")
    blind = replace(facts(), **{source: dict.fromkeys(RUNBOOK.services, away) if source == "deployments" else away})  # type: ignore[arg-type]

    assert refused(plan(blind, NEW)).is_unknown


def test_bot_without_a_role_that_may_undo_migrations_plans_nothing() -> None:
    """The plan would stop the workers for SQL that Postgres refuses."""
    assert "DRAGONFLY_ROLLBACK_DB_URL is not set" in refused(plan(replace(facts(), may_undo=False), NEW)).why
