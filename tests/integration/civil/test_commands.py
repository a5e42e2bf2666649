"""Commands on an existing system: as the bot, as a role that sees no rows, and in the wrong environment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.commands.dispatch import run
from bot.commands.request_change import PLANS
from bot.config.environment import Settings
from bot.types import Answer, Request, Surface
from bot.world import World
from playbooks.model import NoPlan, Status
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.systems import read_system
from services.domain.secrets import Secret
from services.domain.systems import CIVIL
from tests.integration.civil.conftest import Civil

TERMINAL = Request(surface=Surface.TERMINAL)
JANUARY = pytest.mark.parametrize("adopted", ["january"], indirect=True)
NEEDS_DATABASE = ["health", "heartbeats", "queue", "failed-jobs", "throughput", "intake", "migrations", "doctor",
                  "check-config", "prod-gate", "verify"]  # fmt: skip
MakeWorld = Callable[[str], World]


@pytest.fixture
def civil(adopted: Civil) -> Civil:
    """A database after the adoption."""
    return adopted


@pytest.fixture
async def make_world() -> AsyncIterator[MakeWorld]:
    """`make_world(dsn)`: a world over that database, without Railway and the API."""
    worlds: list[World] = []

    def make(dsn: str) -> World:
        named = Settings.from_environment({"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev"})
        database = Database.connect_lazily(Secret(dsn), application_name="test", timeout_s=60.0, recognize=read_system)
        worlds.append(World(replace(named, source_timeout_s=30.0), database=database))
        return worlds[-1]

    yield make
    for world in worlds:
        await world.close()


@pytest.fixture
def world(civil: Civil, make_world: MakeWorld) -> World:
    """A world as the bot, after the adoption."""
    return make_world(civil.dsn("dragonfly_bot"))


def findings(data: Any) -> Iterator[dict[str, Any]]:
    """Return every finding, wherever it is in the JSON."""
    if isinstance(data, list):
        for one in data:
            yield from findings(one)
    if isinstance(data, dict):
        if "check" in data and "status" in data:
            yield data
        for one in data.values():
            yield from findings(one)


def found(answer: Answer, check: str) -> dict[str, Any]:
    return next(one for one in findings(answer.data) if one["check"] == check)


async def test_civil_migrations_are_counted_and_pending_is_unknown(civil: Civil, world: World) -> None:
    answer = await run("migrations", TERMINAL, world)

    count, head = (5, "20251231100000") if civil.vintage == "december" else (8, "20261105")
    assert answer.status is Status.UNKNOWN
    assert f"{count} migrations recorded" in answer.text
    assert f"newest {head}" in answer.text
    assert isinstance(answer.data, dict)
    assert (answer.data["pending"], answer.data["recorded"]) == (None, {"count": count, "head": head})


@JANUARY
async def test_migrations_that_may_not_be_read_are_unknown(world: World, as_owner: Connection) -> None:
    await as_owner.execute("REVOKE ALL ON SCHEMA supabase_migrations FROM dragonfly_bot")

    answer = await run("migrations", TERMINAL, world)

    assert "what is recorded may not be read" in answer.text


@pytest.mark.parametrize("line", ["health", "doctor", "check-config", "prod-gate"])
async def test_no_report_points_to_migrations(world: World, as_owner: Connection, line: str) -> None:
    await as_owner.execute("REVOKE SELECT (last_error) ON ops.job_queue FROM dragonfly_bot")
    await as_owner.execute("REVOKE USAGE ON SCHEMA supabase_migrations FROM dragonfly_bot")

    answer = await run(line, TERMINAL, world)

    steps = [one["next_step"] for one in findings(answer.data) if one.get("next_step")]
    assert "migrations" not in str(steps)
    assert "dragonfly migrate" not in answer.text
    assert "Apply the migrations" not in answer.text


async def test_health_knows_the_database_of_the_system(world: World) -> None:
    answer = await run("health", TERMINAL, world)

    assert found(answer, "database.schemas")["title"] == "1 schema visible"
    assert found(answer, "database.migrations")["status"] == "ok"
    assert {one["check"] for one in findings(answer.data)}.isdisjoint({"database.visibility", "database.system"})


async def test_check_config_limits_name_each_worker_of_the_system(world: World) -> None:
    answer = await run("check-config", TERMINAL, world)

    limits = found(answer, "heartbeats.limits")["evidence"]
    assert set(limits) - {"general_s"} == {f"{worker.short}_s" for worker in CIVIL.workers}


async def test_the_audit_warns_of_what_the_system_leaves_open(world: World) -> None:
    answer = await run("security-audit", TERMINAL, world)

    policies = found(answer, "security.policies")
    assert policies["status"] == "warn"
    assert "ops.worker_heartbeats: authenticated is let in by policy authenticated_read" in policies["detail"]
    assert "operated system decides" in policies["detail"]
    assert "fail" not in {one["status"] for one in findings(answer.data)}
    checks = {one["check"] for one in findings(answer.data)}
    assert checks.isdisjoint({"security.views", "security.public_schema"})  # no table of the system is in schema public


@pytest.mark.parametrize("line", NEEDS_DATABASE)
async def test_a_role_that_sees_nothing_is_never_green(
    civil: Civil, as_owner: Connection, make_world: MakeWorld, line: str
) -> None:
    await as_owner.execute("INSERT INTO ops.worker_heartbeats (worker_id, worker_type) VALUES ('w-1', 'ingest')")
    world = make_world(civil.dsn("dragonfly_app"))

    answer = await run(line, TERMINAL, world)

    assert answer.status is not Status.OK
    assert answer.status is not Status.WARN


@JANUARY
async def test_another_system_than_the_adopted_one_disables_changes(
    civil: Civil, as_owner: Connection, make_world: MakeWorld
) -> None:
    await as_owner.execute("UPDATE chatops.installation SET system = 'runbook'")
    world = make_world(civil.dsn("dragonfly_bot"))

    plan = await PLANS["requeue"]({"what": "orphans"}, world)
    health, config = await run("health", TERMINAL, world), await run("check-config", TERMINAL, world)

    assert isinstance(plan, NoPlan)
    assert "the system civil, " in plan.why
    assert plan.why.endswith("for runbook")
    for answer in (health, config):
        finding = found(answer, "database.system")
        assert finding["status"] == "fail"
        assert plan.why in finding["detail"]


async def test_an_unknown_system_is_reported_with_the_columns_that_differ(
    civil: Civil, as_owner: Connection, make_world: MakeWorld
) -> None:
    await as_owner.execute("ALTER TABLE ops.job_queue RENAME COLUMN last_error TO oops")
    world = make_world(civil.dsn("dragonfly_bot"))

    health = await run("health", TERMINAL, world)
    plan = await PLANS["requeue"]({"what": "orphans"}, world)

    why = "the database holds an unknown system: civil would have ops.job_queue.last_error"
    assert why in found(health, "database.system")["detail"]
    assert isinstance(plan, NoPlan)
    assert plan.why == why
