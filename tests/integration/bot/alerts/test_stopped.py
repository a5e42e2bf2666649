"""A worker that is not running: the alert says who stopped it, if anyone did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from services.domain.alerts import AlertState
from services.domain.services import Service
from tests.integration.bot.alerts.conftest import Engine
from tests.integration.bot.conftest import SHA, Outside, System

RUN = """
    WITH filed AS (
        INSERT INTO chatops.runs (state, environment, playbook, parameters, plan, plan_hash, risk, title, services,
            reason, channel, approvals_needed, kinds, format, expires_at, requested_by_user, requested_by_team)
        VALUES ('approved', 'prod', 'stop_workers', '{}', '{}', repeat('a', 64), 'high', 't', '{}', '', 'c', 0,
            '{StopService}', 1, now() + interval '1 hour', 'U1', 'T1') RETURNING id
    )
    INSERT INTO chatops.run_steps (run_id, position, step)
    SELECT id, 0, jsonb_build_object('kind', %(kind)s::text, 'service', 'dragonfly-worker-ingest') FROM filed
"""


def act(engine: Engine, kind: str) -> None:
    """Store that a run of the bot did this to the ingest worker."""
    with psycopg.connect(engine.urls.owner) as conn:
        conn.execute(RUN, {"kind": kind})
        conn.execute("UPDATE chatops.run_steps SET state = 'running' WHERE state = 'pending'")
        conn.execute("UPDATE chatops.run_steps SET state = 'done' WHERE state = 'running'")


def made(status: str, instances: tuple[str, ...] = (), *, stopped: bool = False) -> dict[str, Any]:
    """A deployment from an hour ago."""
    return {
        "id": "d-ingest",
        "status": status,
        "createdAt": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
        "deploymentStopped": stopped,
        "meta": {"commitHash": SHA},
        "instances": [{"id": f"i{n}", "status": one} for n, one in enumerate(instances)],
    }


def not_active(latest: dict[str, Any]) -> dict[str, Any]:
    return {"activeDeployments": [], "latestDeployment": latest}


@pytest.fixture
async def after_six_minutes(engine: Engine, system: System, outside: Outside) -> Any:
    """Return the alert about the ingest worker, which said goodbye 6 min ago, once the fault has lasted."""
    system.beat("enforcement-1", "enforcement_engine")
    system.beat("ingest-1", ago_s=360, status="stopped")

    async def evaluate(node: dict[str, Any]) -> dict[str, AlertState]:
        outside.nodes[Service.INGEST] = node
        await engine.tick()
        system.run("UPDATE chatops.alerts SET since = now() - interval '6 minutes'")
        await engine.tick()
        return {name: alert.state for name, alert in (await engine.alerts()).items() if name.endswith(".ingest")}

    return evaluate


@pytest.mark.parametrize("status", ["REMOVED", "SUCCESS", "CRASHED"])
async def test_a_service_stopped_by_our_run_is_not_paged_when_railway_drops_it(
    engine: Engine, after_six_minutes: Any, status: str
) -> None:
    act(engine, "StopService")

    assert await after_six_minutes(not_active(made(status))) == {}


async def test_service_stopped_outside_is_paged_after_a_run_started_it_again(
    engine: Engine, after_six_minutes: Any
) -> None:
    act(engine, "StopService")
    act(engine, "StartService")

    reported = await after_six_minutes(not_active(made("REMOVED")))

    assert reported["heartbeats.ingest"] is AlertState.FIRING


async def test_removed_service_is_paged_when_no_run_stopped_it(after_six_minutes: Any) -> None:
    reported = await after_six_minutes(not_active(made("REMOVED")))

    assert reported["heartbeats.ingest"] is AlertState.FIRING
    assert reported["deployments.ingest"] is AlertState.FIRING


async def test_a_service_stopped_in_railway_is_not_paged(after_six_minutes: Any) -> None:
    halted = made("SUCCESS", ("STOPPED",), stopped=True)

    assert await after_six_minutes({"activeDeployments": [halted], "latestDeployment": halted}) == {}
    assert await after_six_minutes(not_active(halted)) == {}


async def test_a_worker_that_exits_with_0_while_jobs_wait_is_paged(
    engine: Engine, system: System, after_six_minutes: Any
) -> None:
    system.run("INSERT INTO ops.job_queue (job_type) SELECT 'a' FROM generate_series(1, 40)")
    ended = made("SUCCESS", ("EXITED",), stopped=True)

    reported = await after_six_minutes({"activeDeployments": [ended], "latestDeployment": ended})

    assert reported["heartbeats.ingest"] is AlertState.FIRING
    assert reported["deployments.ingest"] is AlertState.FIRING
    assert any("ingest ended by itself" in message.text for message in await engine.posted())


@pytest.mark.parametrize(("started_after_s", "state"), [(59, None), (61, AlertState.FIRING)])
async def test_a_worker_that_started_again_after_our_stop_and_exits_with_0_is_paged(
    engine: Engine, system: System, after_six_minutes: Any, started_after_s: int, state: AlertState | None
) -> None:
    act(engine, "StopService")
    system.run(f"""UPDATE ops.worker_heartbeats SET started_at =
        (SELECT max(ended_at) FROM chatops.run_steps) + make_interval(secs => {started_after_s})""")  # noqa: S608
    ended = made("SUCCESS", ("EXITED",), stopped=True)

    reported = await after_six_minutes({"activeDeployments": [ended], "latestDeployment": ended})

    assert reported.get("deployments.ingest") is state
