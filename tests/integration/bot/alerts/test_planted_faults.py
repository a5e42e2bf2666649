"""Every rule with its fault planted for real: announced with its next steps, not below its limit, over once fixed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from bot.config.alerts import RULES as NAMES
from bot.config.alerts import SUBJECTS
from bot.config.alerts_file import default_rules
from services.domain.alerts import AlertState, Severity
from services.sandbox.postgres.server import PostgresServer
from tests.conftest import TEMPLATE, DatabaseUrls, make_template, make_test_database
from tests.integration.bot.alerts.conftest import Engine
from tests.integration.bot.alerts.faults import FAULTS, Fault, make_well
from tests.integration.bot.alerts.planting import Scene
from tests.integration.bot.conftest import Outside, System

RULES = default_rules().rules


@pytest.fixture(scope="module")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A separate server: some faults are in roles, which belong to the whole server."""
    server = PostgresServer(tmp_path_factory.mktemp("planted"), fast=True)
    server.start()
    make_template(server)
    yield server
    server.erase()


@pytest.fixture(scope="module")
def database_urls(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    """One database for all faults: each fault is undone."""
    with psycopg.connect(postgres_server.superuser_dsn(), autocommit=True) as superuser:
        yield from make_test_database(postgres_server, superuser, TEMPLATE)


@pytest.fixture(autouse=True)
def forget(database_urls: DatabaseUrls) -> None:
    """Delete what earlier faults left: alerts, messages and the lease."""
    with psycopg.connect(database_urls.superuser, autocommit=True) as conn:
        for table in ("alert_decisions", "alerts", "outbox", "watch", "leases"):
            conn.execute(f"DELETE FROM chatops.{table}")  # noqa: S608 - our names


@pytest.fixture
def scene(engine: Engine, system: System, outside: Outside) -> Iterator[Scene]:
    scene = Scene(engine, system, outside)
    make_well(scene)
    yield scene
    scene.sessions.close()


async def evaluate(scene: Scene, fault: Fault) -> None:
    """Evaluate once as after a start, so that every source is asked, then after half the rule's wait, then after all of
    it."""
    scene.engine.restart()
    await scene.engine.tick()
    wait = wait_of(fault)
    if wait:
        pass_time(scene, fault, wait / 2)
        await scene.engine.tick()
        assert not is_reported(scene, fault)
        pass_time(scene, fault, wait)
        await scene.engine.tick()


def wait_of(fault: Fault) -> timedelta:
    return timedelta() if fault.at_once else timedelta(seconds=getattr(RULES, fault.rule).wait_s)


def pass_time(scene: Scene, fault: Fault, lasted: timedelta) -> None:
    """Store that the fault has lasted so long."""
    since = f"now() - interval '{lasted.total_seconds()} seconds'"
    with psycopg.connect(scene.engine.urls.bot, autocommit=True) as conn:
        conn.execute(
            f"UPDATE chatops.alerts SET since = {since} WHERE fingerprint = %s AND state = 'pending'",  # noqa: S608
            [fault.fingerprint],
        )


def is_reported(scene: Scene, fault: Fault) -> bool:
    return (fault.fingerprint, fault.severity) in {(one.fingerprint, one.severity) for one in scene.engine.events}


def commands(scene: Scene, message_key: str | None) -> list[str]:
    """Return the commands of a message's buttons, without those of its menu."""
    with psycopg.connect(scene.engine.urls.bot) as conn:
        row = conn.execute("SELECT blocks FROM chatops.outbox WHERE key = %s", [message_key]).fetchone()
    assert row is not None
    elements: list[dict[str, Any]] = [one for block in row[0] for one in block.get("elements", ())]
    return [str(one["value"]) for one in elements if one["type"] == "button"]


def name(fault: Fault) -> str:
    return f"{fault.fingerprint}: {fault.title}"


@pytest.mark.parametrize("fault", FAULTS, ids=name)
async def test_a_planted_fault_is_reported_with_its_next_steps_and_is_over_once_it_is_fixed(
    scene: Scene, fault: Fault
) -> None:
    fault.plant(scene)
    await evaluate(scene, fault)

    alert = (await scene.engine.alerts())[fault.fingerprint]
    assert (alert.state, alert.rule, alert.severity) == (AlertState.FIRING, fault.rule, fault.severity)
    assert alert.title.startswith(fault.title)
    assert commands(scene, alert.message_key) == list(fault.buttons)

    make_well(scene)
    scene.engine.restart()
    await scene.engine.tick()

    assert (await scene.engine.alerts())[fault.fingerprint].state is AlertState.RESOLVED


@pytest.mark.parametrize("fault", FAULTS, ids=name)
async def test_planted_fault_just_within_its_limit_is_not_reported(scene: Scene, fault: Fault) -> None:
    fault.below(scene)

    await evaluate(scene, fault)

    assert not is_reported(scene, fault)


def test_every_rule_has_a_planted_fault() -> None:
    planted_elsewhere = {"system"}  # tests/integration/civil/test_whole_bot.py

    assert {fault.rule for fault in FAULTS} | planted_elsewhere == set(NAMES)


def test_visibility_and_grants_subjects_all_have_a_planted_fault() -> None:
    planted = {fault.fingerprint for fault in FAULTS}
    quiet = {"grants.views", "grants.logins", "grants.audit"}  # warnings and unreadable catalogs: reported by the audit

    assert {f"{rule}.{one}" for rule in ("visibility", "grants") for one in SUBJECTS[rule]} - planted == quiet


def test_both_severities_are_planted() -> None:
    assert {fault.severity for fault in FAULTS} == set(Severity)
