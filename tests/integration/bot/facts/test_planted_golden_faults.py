"""The golden path's five SQL verifications on a real database with one fault planted, read as `dragonfly_bot`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.facts.golden_path import gather_verification
from bot.world import World
from playbooks.checks.golden_path import check
from playbooks.model import Status

if TYPE_CHECKING:
    from tests.integration.bot.conftest import System


BATCH, SHA256 = "00000000-0000-4000-8000-000000000001", "b" * 64
RIGHT = f"""
    INSERT INTO intake.simplicity_batches (id, file_name, sha256, status, is_golden_path)
    VALUES ('{BATCH}', 'f', '{SHA256}', 'completed', true);
    INSERT INTO intake.simplicity_raw_rows (batch_id, row_number, raw, status)
    VALUES ('{BATCH}', 1, '{{}}', 'validated');
    INSERT INTO ops.job_queue (job_type, status, idempotency_key)
    VALUES ('simplicity_ingest', 'completed', 'simplicity_ingest:{BATCH}');
"""  # noqa: S608 - constants of ours
# A real upload that is processed at the same time: its faults are not the golden path's.
OTHERS = """
    INSERT INTO intake.simplicity_batches (file_name, sha256, status) VALUES ('g', repeat('c', 64), 'failed');
    INSERT INTO ops.job_queue (job_type, status, idempotency_key) VALUES ('simplicity_ingest', 'failed', 'other');
"""


async def wrong(world: World) -> dict[str, Status]:
    found = check(await gather_verification(world, sha256=SHA256, batch_id=BATCH, rows=1))
    return {finding.check.partition(".")[2]: finding.status for finding in found if finding.status is not Status.OK}


@pytest.fixture(autouse=True)
def _went_well(system: System) -> None:
    system.work()
    system.run(RIGHT)
    system.run(OTHERS)


async def test_without_a_fault_all_five_hold(world: World) -> None:
    assert await wrong(world) == {}


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("DELETE FROM intake.simplicity_batches WHERE is_golden_path", "batch"),
        ("UPDATE intake.simplicity_batches SET is_golden_path = false", "batch"),
        ("UPDATE intake.simplicity_batches SET status = 'processing'", "batch"),
        ("UPDATE intake.simplicity_raw_rows SET status = 'failed', error = 'e'", "rows"),
        ("UPDATE intake.simplicity_raw_rows SET status = 'pending'", "rows"),
        ("UPDATE intake.simplicity_raw_rows SET batch_id = (SELECT id FROM intake.simplicity_batches WHERE NOT"
         " is_golden_path)", "rows"),
        ("UPDATE ops.job_queue SET status = 'failed'", "job"),
        ("DELETE FROM ops.job_queue", "job"),
        ("GRANT DELETE ON ops.job_queue TO anon", "grants"),
        ("GRANT UPDATE (status) ON ops.job_queue TO authenticated", "grants"),
        ("UPDATE ops.worker_heartbeats SET last_heartbeat_at = now() - interval '6 minutes'", "heartbeats"),
        ("DELETE FROM ops.worker_heartbeats WHERE worker_type = 'ingest_processor'", "heartbeats"),
    ],
)  # fmt: skip
async def test_each_planted_fault_is_seen(world: World, system: System, sql: str, name: str) -> None:
    system.run(sql)

    found = await wrong(world)

    assert found.pop(name) is Status.FAIL
    assert set(found) <= {"rows"}  # without their batch there are no rows


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("REVOKE SELECT (sha256) ON intake.simplicity_batches FROM dragonfly_bot", "batch"),
        ("REVOKE SELECT (status) ON intake.simplicity_raw_rows FROM dragonfly_bot", "rows"),
        ("REVOKE SELECT (idempotency_key) ON ops.job_queue FROM dragonfly_bot", "job"),
        ("ALTER TABLE ops.worker_heartbeats RENAME status TO state", "heartbeats"),
    ],
)
async def test_golden_path_check_is_unknown_when_its_source_is_unreadable(
    world: World, system: System, sql: str, name: str
) -> None:
    system.run(sql)

    assert await wrong(world) == {name: Status.UNKNOWN}
