"""Each change planned from a real database and the local Railway, as the bot's own role."""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.commands.request_change import PLANS
from bot.world import World
from playbooks.failed_jobs import group
from playbooks.model import NoPlan
from playbooks.plan import Plan
from playbooks.steps import (
    ApplySqlFile,
    DeployCommit,
    RedeployDeployment,
    RequeueJobs,
    RollBackDeployment,
    ScaleService,
    Soak,
    StartService,
    StopService,
    VerifySchemaHead,
)
from services.clients.postgres.migrations import read_files
from services.clients.postgres.operated import list_failed_jobs, list_running_jobs
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.sandbox.database import VERSION as HEAD
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import HISTORY
from services.sandbox.web_server import find_free_port
from tests.conftest import DatabaseUrls

if TYPE_CHECKING:
    from tests.integration.bot.commands.plans.conftest import LocalWorld
    from tests.integration.bot.conftest import System


FIRST, SECOND, SERVING, *_ = HISTORY
BEFORE = read_files()[-1].version
FAIL = (
    "INSERT INTO ops.job_queue (job_type, status, attempts, error_message, updated_at) "
    "SELECT '{type}', 'failed', 5, format('ValueError: no county \"Jane Roe %s\"', n), now() - n * interval '1 second' "
    "FROM generate_series(1, {count}) AS n"
)
LOCK = "INSERT INTO chatops.service_locks (service, owner, reason) VALUES ('dragonfly-api', 'U1', 'a rollback')"


async def planned(world: World, name: str, **parameters: str) -> Plan:
    made = await PLANS[name](parameters, world)
    assert isinstance(made, Plan), made
    return made


async def refused(world: World, name: str, **parameters: str) -> NoPlan:
    made = await PLANS[name](parameters, world)
    assert isinstance(made, NoPlan), made
    return made


def serving(railway: LocalRailway, service: Service) -> str:
    active = railway.find_service(service.value).active
    assert active
    return active.id


def requeued(plan: Plan) -> list[str]:
    return [job_id for step in plan.steps if isinstance(step, RequeueJobs) for job_id in step.job_ids]


async def test_each_plan_is_made_again_from_its_own_parameters(world: World, system: System) -> None:
    system.run(LOCK)
    asked: list[tuple[str, dict[str, str]]] = [
        ("scale", {"service": "ingest", "to": "3"}),
        ("scale", {"service": "dragonfly-worker-ingest", "to": "0"}),
        ("restart", {"service": "API"}),
        ("restart", {"service": "ingest", "through_zero": "yes"}),
        ("rollback", {"service": "all", "to": SECOND.sha[:7]}),
        ("deploy", {"service": "workers", "sha": FIRST.sha[:8]}),
        ("redeploy", {"service": "enforcement"}),
        ("unlock", {"service": "api", "reason": "  mended   in e4f5 "}),
        ("stop-workers", {"reason": "wrong amounts"}),
        ("rollback-db", {"version": HEAD, "with_api": "yes"}),
    ]

    first = [await planned(world, name, **parameters) for name, parameters in asked]
    again = [await planned(world, plan.playbook, **plan.parameters) for plan in first]

    assert [plan.playbook for plan in first] == [name for name, _ in asked]
    assert [plan.hash for plan in again] == [plan.hash for plan in first]


async def test_scaling_starts_from_what_railway_has(world: World) -> None:
    assert ScaleService(Service.INGEST, 2, 3) in (await planned(world, "scale", service="ingest", to="3")).steps


async def test_the_pooler_s_limit_is_taken_from_the_settings(
    make_world: LocalWorld, database_urls: DatabaseUrls
) -> None:
    tight = make_world(database_urls.bot, DATABASE_CONNECTION_LIMIT="1", SOAK_SECONDS="7")

    assert "of 1 connections" in (await refused(tight, "scale", service="ingest", to="3")).why


async def test_the_connections_of_a_replica_are_counted_by_its_variables(world: World) -> None:
    impact = (await planned(world, "scale", service="ingest", to="4")).impact

    assert any("takes up to 12 more database connections" in line for line in impact), impact


async def test_the_soak_is_as_long_as_the_settings_report(make_world: LocalWorld, database_urls: DatabaseUrls) -> None:
    hasty = await planned(make_world(database_urls.bot, SOAK_SECONDS="7"), "scale", service="ingest", to="3")

    assert Soak(Service.INGEST, 7, fall_back_to=2) in hasty.steps


async def test_a_stopped_service_is_started_again(world: World, railway: LocalRailway) -> None:
    runner = railway.find_service(Service.INGEST.value)
    assert runner.active
    runner.stop(runner.active)
    async for _ in railway.subscribe():
        if runner.active.is_stopped:
            break

    back = await planned(world, "scale", service="ingest", to="1")

    assert StartService(Service.INGEST, serving(railway, Service.INGEST), 1) in back.steps
    assert (await refused(world, "stop-workers", service="ingest")).why == "ingest: nothing runs"
    assert [step.service for step in (await planned(world, "stop-workers")).steps if isinstance(step, StopService)] == [
        Service.ENFORCEMENT
    ]


async def test_candidates_come_with_what_their_jobs_did(world: World, system: System) -> None:
    system.run(
        "INSERT INTO ops.job_queue (job_type, status, updated_at) "
        "SELECT 'a', CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'completed' END, now() - interval '12 hours' "
        "FROM generate_series(1, 20) AS n"
    )

    offer = await refused(world, "rollback", service="ingest")

    # 10 % of the jobs failed in the last day, while the second commit served: too many for a first choice.
    assert [step.command for step in offer.next_steps] == [
        f"rollback ingest to {FIRST.sha[:8]}",
        f"rollback ingest to {SECOND.sha[:8]}",
    ]
    assert "2 of 20 jobs failed" in " ".join(
        (await planned(world, "rollback", service="ingest", to=SECOND.sha)).warnings
    )


async def test_a_rollback_goes_to_the_deployment_that_railway_kept(world: World, railway: LocalRailway) -> None:
    back = await planned(world, "rollback", service="api", to=FIRST.sha[:8])

    (act,) = [step for step in back.steps if isinstance(step, RollBackDeployment)]
    _, record = railway.find_deployment(act.to)
    assert (act.from_, record.commit) == (serving(railway, Service.API), FIRST)
    assert back.undo == f"rollback api to {SERVING.sha[:8]}"


async def test_the_variables_that_changed_since_are_named(world: World, railway: LocalRailway) -> None:
    service_id = railway.find_service(Service.API.value).id
    variables = {"DRAGONFLY_API_KEY": {"value": "canary"}}
    railway.remember_patch({"services": {service_id: {"variables": variables}}}, None)

    back = await planned(world, "rollback", service="all", to=FIRST.sha)

    assert any(line.endswith(": DRAGONFLY_API_KEY") for line in back.impact)


async def test_another_person_s_deployment_changes_the_plan(world: World, railway: LocalRailway) -> None:
    before = await planned(world, "rollback", service="api", to=FIRST.sha)
    railway.deploy(Service.API.value, SECOND.sha)
    async for _ in railway.subscribe():
        active = railway.find_service(Service.API.value).active
        if active and active.commit == SECOND and active.status.value == "SUCCESS":
            break

    after = await planned(world, "rollback", service="api", to=FIRST.sha)

    assert after.hash != before.hash


async def test_a_new_heartbeat_and_another_job_do_not(world: World, system: System) -> None:
    before = [await planned(world, "scale", service="ingest", to="3"), await planned(world, "stop-workers")]
    system.work()
    system.run("INSERT INTO ops.job_queue (job_type, status) VALUES ('a', 'pending')")

    after = [await planned(world, "scale", service="ingest", to="3"), await planned(world, "stop-workers")]

    assert [one.hash for one in after] == [one.hash for one in before]
    assert [one.impact for one in after] != [one.impact for one in before]


async def test_a_deploy_is_completed_and_refused_by_a_lock(world: World, system: System) -> None:
    free = await planned(world, "deploy", service="api", sha=SECOND.sha[:8])
    system.run(LOCK)

    refusal = await refused(world, "deploy", service="api", sha=SECOND.sha[:8])

    assert any(isinstance(step, DeployCommit) and step.sha == SECOND.sha for step in free.steps)
    assert refusal.why.startswith("api is locked by U1 (a rollback)")
    assert "is locked" in (await refused(world, "redeploy", service="api")).why
    assert isinstance((await planned(world, "redeploy", service="ingest")).steps[0], RedeployDeployment)
    assert (await planned(world, "unlock", service="api", reason="mended")).impact[0].startswith("locked by U1")


async def test_a_group_is_requeued_oldest_first_and_capped(world: World, system: System) -> None:
    system.run(FAIL.format(type="simplicity_ingest", count=120))
    system.run(FAIL.format(type="enforcement_next_step", count=3))
    name = await _name_of_group(world, "simplicity_ingest")

    made = await planned(world, "requeue", what=name)
    system.run(FAIL.format(type="simplicity_ingest", count=1))
    again = await planned(world, "requeue", **made.parameters)

    assert len(requeued(made)) == 100
    assert made.impact[0].startswith("100 of 120 of type simplicity_ingest")
    assert "Jane" not in " ".join(made.impact)
    assert again.hash == made.hash


async def test_orphans_are_requeued_together_or_one_by_one(world: World, system: System) -> None:
    system.work()
    system.run(
        "INSERT INTO ops.job_queue (job_type, status, locked_at, locked_by) "
        "VALUES ('a', 'processing', now(), 'gone'), ('a', 'processing', now(), 'ingest-1')"
    )

    (orphan,) = requeued(await planned(world, "requeue", what="orphans"))
    running = await world.read(list_running_jobs)
    assert not isinstance(running, Unavailable)
    (held,) = [job.id for job in running if job.id != orphan]

    assert requeued(await planned(world, "requeue", what=orphan)) == [orphan]
    assert "processing" in (await refused(world, "requeue", what=held)).why


async def test_a_database_rollback_rests_on_the_prepared_file_and_the_head(world: World) -> None:
    made = await planned(world, "rollback-db", version=HEAD)

    assert [step.head for step in made.steps if isinstance(step, ApplySqlFile)] == [HEAD]
    assert VerifySchemaHead(BEFORE) in made.steps
    assert f"{HEAD} is" in (await refused(world, "rollback-db", version=BEFORE)).why


async def test_nothing_is_planned_over_the_database_of_another_environment(world: World, system: System) -> None:
    system.run("INSERT INTO chatops.installation (environment) VALUES ('prod')")
    asked: list[tuple[str, dict[str, str]]] = [
        ("scale", {"service": "ingest", "to": "3"}),
        ("stop-workers", {}),
        ("rollback-db", {"version": HEAD}),
    ]

    refusals = [await refused(world, name, **parameters) for name, parameters in asked]
    system.run("UPDATE chatops.installation SET environment = 'dev'")

    assert all("belongs to prod" in refusal.why and "say dev" in refusal.why for refusal in refusals)
    assert await planned(world, "stop-workers")


async def test_a_database_that_reports_nothing_does_not_hold_up_the_emergency_stop(make_world: LocalWorld) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        blind = make_world(f"postgresql://bot:x@127.0.0.1:{silent.getsockname()[1]}/d")

        started = time.perf_counter()
        stop = await planned(blind, "stop-workers")
        elapsed_s = time.perf_counter() - started
        await blind.close()

    assert elapsed_s < 15  # it waits for 1.5 s, and other sources may take 30
    assert any("what runs" in line and "1.5 s" in line for line in stop.warnings)


async def test_a_rollback_needs_no_database_and_a_deploy_does(make_world: LocalWorld) -> None:
    blind = make_world(f"postgresql://bot:x@127.0.0.1:{find_free_port()}/d")

    assert (await planned(blind, "rollback", service="api", to=FIRST.sha)).warnings
    assert (await refused(blind, "deploy", service="api", sha=SECOND.sha)).is_unknown


async def _name_of_group(world: World, job_type: str) -> str:
    failed = await world.read(list_failed_jobs, window=timedelta(hours=1), limit=500)
    assert not isinstance(failed, Unavailable)
    return next(one.key for one in group(failed) if one.job_type == job_type)
