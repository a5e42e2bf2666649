"""A page names the newest deployment of its own service, whatever its status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.domain.text import clock_time
from tests.integration.bot.alerts.conftest import Engine
from tests.integration.bot.conftest import Outside, System

BAD, GOOD = "e9a70d3b" + "0" * 32, "8d02b64e" + "0" * 32
NOW = datetime.now(UTC)


def made(name: str, sha: str, status: str = "SUCCESS", *, minutes: int, author: str = "Tom Okafor") -> dict[str, Any]:
    instances = [{"id": f"i-{name}", "status": "CRASHED" if status == "CRASHED" else "RUNNING"}]
    return {
        "id": name,
        "status": status,
        "createdAt": (NOW - timedelta(minutes=minutes)).isoformat(),
        "meta": {"commitHash": sha, "commitAuthor": author},
        "instances": instances,
    }


def serve(outside: Outside, service: Service, active: dict[str, Any], latest: dict[str, Any] | None = None) -> None:
    outside.nodes[service] = {"activeDeployments": [active], "latestDeployment": latest or active}


async def page_of(engine: Engine, name: str) -> str:
    """Return the line that pagers and e-mails get, once the fault has lasted 6 min."""
    await engine.tick()
    with psycopg.connect(engine.urls.owner) as conn:
        conn.execute("UPDATE chatops.alerts SET since = now() - interval '6 minutes'")
    await engine.tick()
    return (await engine.alerts())[name].line


@pytest.fixture
def old(outside: Outside, working: System) -> None:  # noqa: ARG001 - the workers send heartbeats
    """Every service was deployed long ago, except enforcement: 31 min ago."""
    for service in RUNBOOK.services:
        serve(outside, service, made(f"old-{service.short}", GOOD, minutes=500))
    serve(outside, Service.ENFORCEMENT, made("own", "c45e17a9" + "0" * 32, minutes=31, author="Ann"))


@pytest.mark.usefixtures("old")
async def test_a_deploy_that_crashes_is_named_and_not_that_of_another_service(engine: Engine, outside: Outside) -> None:
    bad = made("bad", BAD, "CRASHED", minutes=1)
    outside.nodes[Service.INGEST] = {"activeDeployments": [], "latestDeployment": bad}

    line = await page_of(engine, "crash_loop.ingest")

    at = clock_time(NOW - timedelta(minutes=1))
    assert f"deploy e9a70d3b CRASHED {at} (commit by Tom Okafor)" in line
    assert line.index("e9a70d3b") < line.index("elsewhere: enforcement deploy c45e17a9")
    assert " ago" not in line


@pytest.mark.usefixtures("old")
async def test_an_api_that_was_not_deployed_lately_reports_so(engine: Engine, outside: Outside) -> None:
    outside.api_refuses = True

    line = await page_of(engine, "api")

    assert "no deploy of api" in line
    assert "enforcement deploy c45e17a9" in line


ACT = """
    WITH filed AS (
        INSERT INTO chatops.runs (state, environment, playbook, parameters, plan, plan_hash, risk, title, services,
            reason, channel, approvals_needed, kinds, format, expires_at, requested_by_user, requested_by_team)
        VALUES ('approved', 'prod', 'rollback', '{}', '{}', repeat('a', 64), 'high', 't', '{}', '', 'c', 0,
            '{StopService}', 1, now() + interval '1 hour', 'U0BEN', 'T1') RETURNING id
    )
    INSERT INTO chatops.run_steps (run_id, position, step)
    SELECT id, 0, jsonb_build_object('kind', %(kind)s::text, 'service', 'dragonfly-api') FROM filed
"""


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("RollBackDeployment", "rolled back to 8d02b64e (run 1) "),
        ("StartService", "no deploy of api"),
        ("RedeployDeployment", "no deploy of api"),
    ],
)
async def test_a_deployment_of_our_run_is_named_as_such(
    engine: Engine, outside: Outside, kind: str, words: str
) -> None:
    with psycopg.connect(engine.urls.owner) as conn:
        conn.execute(ACT, {"kind": kind})
        conn.execute("UPDATE chatops.run_steps SET state = 'running'")
        conn.execute("""UPDATE chatops.run_steps SET state = 'done', evidence = '{"deployment_id": "back"}'""")
    serve(outside, Service.API, made("back", GOOD, minutes=20))
    outside.api_refuses = True

    line = await page_of(engine, "api")

    assert words in line
    assert "commit by Tom" not in line
