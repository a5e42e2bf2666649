"""Log lines of the workers, judged together with the real queue, read as `dragonfly_bot`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.facts.logs import gather_logs
from bot.world import World
from playbooks.checks import logs
from playbooks.model import Finding, Status
from services.domain.services import Service

if TYPE_CHECKING:
    from tests.integration.bot.conftest import Outside, System


IDLE = "[ingest_processor] No pending jobs found (idle)"
JOB = "INSERT INTO ops.job_queue (job_type, run_at) VALUES "


async def find(world: World, service: Service = Service.INGEST) -> dict[str, Finding]:
    [facts] = await gather_logs(world, [service], await world.railway_services())
    return {finding.check: finding for finding in logs.check(facts)}


@pytest.mark.parametrize(
    ("jobs", "status"),
    [
        ("", Status.OK),
        (JOB + "('simplicity_ingest', now() - interval '2 min')", Status.FAIL),
        (JOB + "('simplicity_ingest', now())", Status.OK),
        (JOB + "('simplicity_ingest', now() + interval '1 h')", Status.OK),  # it backs off
        (JOB + "('enforcement_next_step', now() - interval '2 min')", Status.OK),  # a job of the other worker
        ("REVOKE SELECT (run_at) ON ops.job_queue FROM dragonfly_bot", Status.UNKNOWN),
    ],
)
async def test_an_idle_worker_is_fine_only_while_none_of_its_jobs_is_due(
    world: World, system: System, outside: Outside, jobs: str, status: Status
) -> None:
    outside.logs[Service.INGEST] = [IDLE]
    system.run(jobs or "SELECT 1")

    assert (await find(world))["logs.ingest.idle"].status is status
