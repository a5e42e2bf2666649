"""Undo the newest migration by its prepared file (runbook, "Database Migration Rollback")

When:   a migration broke something, and rolling back the code is not enough. Dangerous.
Effect: the workers stop (and the API, if asked), the prepared SQL runs in one transaction, and the code that fits the
        schema afterwards starts at the former counts. If the SQL fails, the schema is unchanged, and the
        former deployments start again (`playbooks.change_parts`).
Undo:   `dragonfly migrate` on a terminal applies the migration again; then deploy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from playbooks.change_parts import (
    BUILD_S,
    SHA_S,
    Load,
    Standing,
    States,
    commit_words,
    doubts,
    draining_doubts,
    find_standing,
    stop_timeout_s,
    stopping,
    unavailable,
)
from playbooks.model import NextStep, NoPlan, Risk
from playbooks.plan import Plan
from playbooks.rollback_candidates import served_periods
from playbooks.steps import (
    DEPLOY_S,
    HEALTH_S,
    ApplySqlFile,
    AwaitDeployment,
    AwaitStopped,
    CheckDatabaseReady,
    RollBackDeployment,
    Step,
    StopService,
    VerifyApiHealth,
    VerifyNothingRuns,
    VerifySchemaHead,
    VerifySha,
    come_up,
    start,
)
from services.domain.database import AppliedMigration, MigrationStatus, PreparedRollback
from services.domain.deployments import Deployment
from services.domain.errors import Unavailable
from services.domain.services import Service

# A deployment made this shortly before the migration probably applied it, in its pre-deploy command.
BRINGS_WITHIN = timedelta(seconds=BUILD_S)
MIGRATIONS = NextStep("Migrations", "migrations")
ROLLBACK_URL = "DRAGONFLY_ROLLBACK_DB_URL"


@dataclass(frozen=True)
class Facts:
    """`rollbacks`: `{version: the prepared file}`. `deployments`: each service's newest ones.

    `may_undo`: True if the bot has a connection string of a role that may undo migrations (`ROLLBACK_URL`).
    """

    environment: str
    now: datetime
    states: States
    deployments: Mapping[Service, Sequence[Deployment] | Unavailable]
    migrations: MigrationStatus | Unavailable
    rollbacks: Mapping[str, PreparedRollback]
    load: Load
    may_undo: bool = True


@dataclass(frozen=True)
class _Fit:
    """A service to stop, and the deployment whose code fits the schema afterwards; None: unknown."""

    found: Standing
    count: int
    code: Deployment | None


def plan(facts: Facts, version: str, *, with_api: bool = False) -> Plan | NoPlan:
    """A plan to undo a migration. `version`: the newest applied one, 14 digits. `with_api`: stop the API too."""
    if isinstance(facts.migrations, Unavailable):
        return unavailable(facts.migrations)
    refusal = _refuse(facts, facts.migrations, version)
    if refusal is not None:
        return refusal
    undone = next(one for one in facts.migrations.applied if one.version == version)
    system = facts.load.system
    services = (*system.workers, system.api) if with_api else system.workers
    fits = _fits(facts, services, undone)
    if isinstance(fits, NoPlan):
        return fits
    return Plan(
        environment=facts.environment,
        playbook="rollback-db",
        parameters={"version": version} | ({"with_api": "yes"} if with_api else {}),
        steps=tuple(_steps(facts, facts.migrations, version, services, fits)),
        risk=Risk.CRITICAL,
        title=f"Roll back migration {version}_{undone.name}",
        impact=tuple(_impact(facts, facts.migrations, version, fits)),
        warnings=tuple(_warnings(facts, fits, undone, with_api=with_api)),
    )


def _refuse(facts: Facts, migrations: MigrationStatus, version: str) -> NoPlan | None:
    if not migrations.is_migrated:
        return NoPlan(
            "this bot can't undo the operated system's migrations",
            "undo it with that system's tools; the bot has no right to change its schema",
            (MIGRATIONS,),
        )
    if not facts.may_undo:
        return NoPlan(
            f"this bot may not undo migrations: {ROLLBACK_URL} is not set",
            "do it as the owner on a terminal: stop the workers, apply "
            f"sql/rollbacks/{version}_rollback.sql with psql in one transaction, and deploy the code that fits",
            (MIGRATIONS,),
        )
    applied = sorted(one.version for one in migrations.applied)
    if version not in applied:
        return NoPlan(f"migration {version} is not applied", f"the newest one is {migrations.head}", (MIGRATIONS,))
    newer = [one for one in applied if one > version]
    if newer:
        what_next = f"roll back {newer[-1]} first: it may depend on this one"
        return NoPlan(f"{version} is not the newest migration, {newer[-1]} is", what_next, (MIGRATIONS,))
    if version not in facts.rollbacks:
        known = ", ".join(sorted(facts.rollbacks)) or "none"
        return NoPlan(
            f"there is no sql/rollbacks/{version}_rollback.sql",
            f"prepare and test one, or repair with a new migration; prepared: {known}",
            (MIGRATIONS,),
        )
    return None


def _fits(facts: Facts, services: Sequence[Service], undone: AppliedMigration) -> list[_Fit] | NoPlan:
    fits = []
    for service in services:
        found = find_standing(facts.states, service)
        if isinstance(found, NoPlan):
            return found
        if found.state.is_stopped or found.state.replicas_configured == 0:
            continue
        listed = facts.deployments.get(service, Unavailable("Railway", "not asked"))
        if isinstance(listed, Unavailable):
            return unavailable(listed)
        count = found.state.replicas_configured or max(found.current.running_instances, 1)
        fits.append(_Fit(found, count, _fitting(listed, found, undone, facts.now)))
    return fits


def _fitting(
    listed: Sequence[Deployment], found: Standing, undone: AppliedMigration, now: datetime
) -> Deployment | None:
    """The newest deployment that served before the migration ran; None if none is known that could start again."""
    ran = {period.deployment_id for period in served_periods(listed, now)}
    before = [one for one in listed if one.id in ran and one.created_at <= undone.executed_at - BRINGS_WITHIN]
    newest = max(before, key=lambda one: one.created_at, default=None)
    if newest is None or newest.id == found.current.id or newest.can_rollback:
        return newest
    return None


def _steps(
    facts: Facts, migrations: MigrationStatus, version: str, services: Sequence[Service], fits: Sequence[_Fit]
) -> Iterator[Step]:
    yield CheckDatabaseReady()
    yield from (StopService(fit.found.service, fit.found.current.id, fit.count) for fit in fits)
    yield from (AwaitStopped(fit.found.service, stop_timeout_s(fit.found.state.draining_seconds)) for fit in fits)
    yield VerifyNothingRuns(tuple(services))
    yield ApplySqlFile(version, facts.rollbacks[version].checksum, version)
    yield VerifySchemaHead(_head_afterwards(migrations, version))
    for fit in fits:
        yield from _start(fit)
    if all(not fit.found.service.is_api for fit in fits):
        yield VerifyApiHealth(HEALTH_S)


def _start(fit: _Fit) -> Iterator[Step]:
    """Start the code that fits, at the former count; the former deployment if no better one is known."""
    found, code = fit.found, fit.code
    if code is None or code.id == found.current.id:
        yield from start(found.service, found.current.id, fit.count)
        return
    yield RollBackDeployment(found.service, found.current.id, code.id, code.commit_sha or "")
    yield AwaitDeployment(found.service, DEPLOY_S)
    if code.commit_sha:
        yield VerifySha(found.service, code.commit_sha, SHA_S)
    yield from come_up(found.service, fit.count)


def _head_afterwards(migrations: MigrationStatus, version: str) -> str | None:
    return max((one.version for one in migrations.applied if one.version != version), default=None)


def _impact(facts: Facts, migrations: MigrationStatus, version: str, fits: Sequence[_Fit]) -> Iterator[str]:
    yield f"the schema goes from {version} to {_head_afterwards(migrations, version) or 'no migration at all'}"
    for fit in fits:
        short, now = fit.found.service.short, commit_words(fit.found.current)
        if fit.code is None:
            yield f"{short}: which code fits the schema afterwards is unknown; {now} starts again at {fit.count}"
        else:
            yield _code_afterwards(fit, fit.code)
    yield from stopping(facts.load, [fit.found.service for fit in fits])
    yield "if the SQL fails, the database rolls it back and the former code starts again"
    yield "if a later step fails, the workers stay stopped"
    yield "to undo: dragonfly migrate on a terminal, then deploy the current code"


def _code_afterwards(fit: _Fit, code: Deployment) -> str:
    """The code that starts, and whether it differs from the current one."""
    short, now = fit.found.service.short, fit.found.current
    if code.id == now.id:
        return (
            f"{short}: its code stays {commit_words(code)}, which fits the schema afterwards; it starts at {fit.count}"
        )
    return f"{short}: its code goes from {commit_words(now)} to {commit_words(code)}, and starts at {fit.count}"


def _warnings(facts: Facts, fits: Sequence[_Fit], undone: AppliedMigration, *, with_api: bool) -> Iterator[str]:
    yield f"data that only {undone.version}_{undone.name} can store is lost"
    unknown = ", ".join(fit.found.service.short for fit in fits if fit.code is None)
    if unknown:
        yield f"check by hand that the code of {unknown} works without this migration"
    if not with_api:
        yield "the API keeps running, and its code has to work without this migration"
    if any(fit.code is not None and fit.code.id != fit.found.current.id for fit in fits):
        yield "the old variables come back with the old code"
    for fit in fits:
        yield from draining_doubts(fit.found.state)
    yield from doubts(facts.load)
