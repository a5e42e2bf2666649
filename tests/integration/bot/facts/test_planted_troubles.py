"""The doctor over a real system with one problem planted, read as `dragonfly_bot`: never green, and it names the
problem."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
import pytest

from bot.commands.dispatch import run
from bot.facts.doctor import gather_doctor
from bot.types import Request
from bot.views.terminal import answer_text
from bot.world import World
from playbooks import doctor
from playbooks.log_patterns import Symptom
from playbooks.model import Finding, Status
from playbooks.root_causes import Kind
from services.domain.health import Endpoint
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.conftest import DatabaseUrls
from tests.unit.playbooks.healthy import VARIABLES

if TYPE_CHECKING:
    from tests.integration.bot.conftest import Outside, System


IDLE = "[ingest_processor] No pending jobs found (idle)"
JOB = "INSERT INTO ops.job_queue (job_type, status, error_message, run_at) VALUES "
FORGET = "DELETE FROM supabase_migrations.schema_migrations WHERE version = '20251201000300'"


@pytest.fixture(autouse=True)
def _work(system: System, outside: Outside) -> None:
    system.work()
    outside.variables = dict(VARIABLES)
    outside.logs = {service: [IDLE] for service in RUNBOOK.services}


async def trouble(world: World) -> list[Finding]:
    found = doctor.report(await gather_doctor(world)).findings
    return [finding for finding in found if finding.status is not Status.OK]


async def symptoms(world: World) -> set[object]:
    return {finding.evidence["symptom"] for finding in await trouble(world) if "symptom" in finding.evidence}


async def test_without_a_problem_every_area_is_green(world: World) -> None:
    assert {finding.title: finding.detail for finding in await trouble(world)} == {}


@pytest.mark.parametrize(
    ("sql", "symptom"),
    [
        (JOB + "('simplicity_ingest', 'pending', NULL, now() - interval '2 min')", Symptom.NOT_CLAIMING),
        (JOB + "('simplicity_ingest', 'failed', 'InFailedSqlTransaction', now())", Symptom.FAILED_TRANSACTION),
        (JOB + "('enforcement_next_step', 'failed', 'permission denied for table judgments', now())",
         Symptom.PERMISSION_DENIED),
        ("REVOKE INSERT ON ops.job_queue FROM dragonfly_app", Symptom.PERMISSION_DENIED),
        ("DROP POLICY app ON public.judgments", Symptom.PERMISSION_DENIED),
        ("UPDATE ops.worker_heartbeats SET database_ok = false WHERE worker_type ~ 'ingest'", Symptom.UNREACHABLE),
        ("UPDATE ops.worker_heartbeats SET last_heartbeat_at = now() - interval '6 min'", Symptom.STALE_HEARTBEAT),
    ],
)  # fmt: skip
async def test_a_problem_in_the_database_leads_to_its_row(
    world: World, system: System, sql: str, symptom: Symptom
) -> None:
    system.run(sql)

    assert symptom in await symptoms(world)


async def test_a_job_that_its_type_s_limit_holds_back_is_no_problem(world: World, system: System) -> None:
    """One job for memos runs, as long as the model takes; the next one waits for it, beside idle workers."""
    system.run(
        "INSERT INTO ops.job_queue (job_type, status, run_at, locked_at, locked_by)"
        " SELECT 'enforcement_memos', status, now() - interval '20 min', locked_at, worker"
        " FROM (VALUES ('processing', now(), 'enforcement-1'), ('pending', NULL, NULL))"
        " AS job (status, locked_at, worker)"
    )

    assert {finding.title for finding in await trouble(world)} == set()


@pytest.mark.parametrize(
    ("line", "symptom"),
    [
        ("PostgreSQL connection failed: FATAL: password authentication failed for user", Symptom.NOT_CLAIMING),
        ("PostgreSQL connection failed: Connection refused", Symptom.UNREACHABLE),
        ("claim_pending_job: permission denied for function claim_pending_job", Symptom.PERMISSION_DENIED),
        ("[ingest_processor] Job failed: InFailedSqlTransaction", Symptom.FAILED_TRANSACTION),
        ("[ingest_processor] CRITICAL: Crash loop detected after 10 failures", Symptom.CRASH_LOOP),
    ],
)
async def test_a_line_of_a_log_leads_to_its_row(world: World, outside: Outside, line: str, symptom: Symptom) -> None:
    outside.logs[Service.INGEST] = [line]

    assert symptom in await symptoms(world)


async def test_an_api_that_answers_503_leads_to_its_row(world: World, outside: Outside) -> None:
    outside.api_status, outside.health = 503, {"status": "degraded", "db_connected": True}

    assert Symptom.API_503 in await symptoms(world)


async def test_an_api_without_its_database_is_not_reported_as_a_slow_start(world: World, outside: Outside) -> None:
    outside.api_status, outside.health = 503, {"status": "degraded", "db_connected": False}

    report = doctor.report(await gather_doctor(world))

    assert [(one.cause.kind, one.cause.service) for one in report.diagnosed.diagnoses] == [
        (Kind.NO_ACCESS, Service.API)
    ]
    assert Symptom.API_503 not in await symptoms(world)


async def test_a_process_under_another_role_is_seen(world: World, database_urls: DatabaseUrls) -> None:
    with psycopg.connect(database_urls.owner, application_name="dragonfly-worker-ingest:ingest-1"):
        [finding] = await trouble(world)

    assert finding.title == "ingest connects as postgres, not as dragonfly_app"


@pytest.mark.parametrize(
    ("spoil", "posted"),
    [
        (lambda outside: outside.endpoints.remove(Endpoint("POST", "/api/v1/intake/upload")),
         "the API has no POST /api/v1/intake/upload"),
        (lambda outside: outside.variables.pop("SUPABASE_URL"), "ingest: "),
        (lambda outside: outside.logs.update({Service.INGEST: []}), "Logs: ingest wrote nothing"),
        (lambda outside: outside.replicas.update({Service.INGEST: 2}), "1 of 2 ingest workers alive"),
    ],
)  # fmt: skip
async def test_a_problem_outside_is_seen(
    world: World, outside: Outside, spoil: Callable[[Outside], object], posted: str
) -> None:
    spoil(outside)

    assert [finding.title for finding in await trouble(world) if finding.title.startswith(posted)]


@pytest.mark.parametrize(
    ("sql", "posted"),
    [
        (
            "ALTER TABLE ops.job_queue RENAME error_message TO last_error",
            'column "error_message" does not exist',
        ),
        ("DROP FUNCTION ops.claim_pending_job", "dragonfly_app lacks EXECUTE on ops.claim_pending_job"),
        ("ALTER TABLE chatops.runs RENAME COLUMN title TO name", 'column "title" does not exist'),
        ("GRANT SELECT ON ops.job_queue TO anon", "1 kind of exposure"),
        (FORGET, "1 migration not applied"),
        ("REVOKE USAGE ON SCHEMA enforcement FROM dragonfly_bot", "database hides schema enforcement"),
    ],
)
async def test_drift_is_named(world: World, system: System, sql: str, posted: str) -> None:
    system.run(sql)

    titles = [finding.title for finding in await trouble(world)]

    assert [title for title in titles if posted in title], titles


async def test_a_silent_source_delays_no_one_and_is_unknown(
    make_world: Callable[..., World], database_urls: DatabaseUrls, outside: Outside
) -> None:
    outside.railway_delay_s = 60
    world = make_world(database_urls.bot, timeout_s=6.0)

    async with asyncio.timeout(45):  # with no limit per source it would take 60 s
        found = {finding.check: finding for finding in doctor.report(await gather_doctor(world)).findings}

    assert "Railway" in found["deployment"].title
    assert found["deployment"].status is Status.UNKNOWN
    assert found["doctor.drift"].status is Status.OK


async def test_the_command_leads_with_what_is_wrong(world: World, system: System) -> None:
    system.run(
        "UPDATE ops.worker_heartbeats SET last_heartbeat_at = now() - interval '6 min' WHERE worker_type ~ 'ingest'"
    )

    answer = await run("doctor", Request(), world)

    shown = answer_text(answer)
    assert shown.startswith("🔴 ingest is down (0 of 1) since ")
    assert "→ Restart ingest: dragonfly restart ingest --through-zero" in shown
    assert answer.status is Status.FAIL
