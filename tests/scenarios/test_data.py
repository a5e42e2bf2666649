"""Data and keys: a failed file, a migration rolled back, a rotated key, the golden path after a deploy."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from services.api.app import build_app
from services.api.settings import ApiSettings
from services.clients.postgres.pool import Connection
from services.sandbox.database import VERSION
from services.sandbox.slack import model
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import StartBot, StartWhole
from tests.integration.bot.runs.conftest import sql_directory as sql_directory
from tests.scenarios.conftest import PEOPLE, STORY_S, Channel
from tests.serving import serve
from tests.wire import Wire

FAILED = """
    WITH batch AS (
        INSERT INTO intake.simplicity_batches (file_name, sha256, status, row_count, error, completed_at)
        VALUES ('march.csv', repeat('a', 64), 'failed', 3, 'disk full', now()) RETURNING id
    )
    INSERT INTO ops.job_queue (job_type, status, attempts, payload, error_message)
    SELECT 'simplicity_ingest', 'failed', 3, jsonb_build_object('batch_id', id), 'OSError: [Errno 28] disk full'
    FROM batch RETURNING id::text, (SELECT id::text FROM batch)
"""
KEY = "df_rotated"


async def test_a_failed_file_is_found_and_its_job_put_back_into_the_queue(
    start_whole: StartWhole, channel: Channel, as_owner: Connection
) -> None:
    [(job, batch)] = await (await as_owner.execute(FAILED)).fetchall()
    await start_whole()

    await channel.type("intake")
    await channel.expect(batch[:8], "failed")
    await channel.type("failed-jobs")
    await channel.expect("1 job failed")
    await channel.type(f"requeue {job}")
    asked = await channel.expect("WAITING FOR CONFIRMATION")
    await channel.press(asked, "Confirm")

    async with asyncio.timeout(STORY_S):
        while await _status(as_owner, job) != "pending":
            await asyncio.sleep(0.1)


async def test_a_migration_is_taken_back_once_two_people_agree(
    start_whole: StartWhole, channel: Channel, as_owner: Connection, database_urls: DatabaseUrls, sql_directory: Path
) -> None:
    await start_whole(DRAGONFLY_SQL=str(sql_directory), DRAGONFLY_ROLLBACK_DB_URL=database_urls.owner)

    await channel.type(f"rollback-db {VERSION}")
    asked = await channel.expect("WAITING FOR APPROVAL", VERSION)
    for approver in (model.ANN, model.BEN):
        await channel.press(asked, "Approve", by=approver)
        await channel.fill_in(f"rollback-db {VERSION} dev", by=approver)

    await channel.expect("DONE", "every step", at=asked)
    applied = "SELECT count(*) FROM supabase_migrations.schema_migrations WHERE version = %s"
    assert await (await as_owner.execute(applied, [VERSION])).fetchone() == (0,)


async def test_a_rotated_key_reaches_the_api_by_a_redeploy(
    start_whole: StartWhole, channel: Channel, wire: Wire
) -> None:
    await start_whole()

    await channel.type("redeploy api")
    asked = await channel.expect("WAITING FOR APPROVAL", "Redeploy api")
    await channel.press(asked, "Approve", by=model.ANN)

    await channel.expect("DONE", "every step", at=asked)
    assert wire.mutations == ["redeploy"]


async def test_the_golden_path_passes_and_leaves_nothing_behind(
    start_bot: StartBot, channel: Channel, as_owner: Connection, database_urls: DatabaseUrls
) -> None:
    settings = ApiSettings(supabase_db_url=database_urls.app, environment="dev", dragonfly_api_key=KEY)
    environ = {"ENVIRONMENT": "dev", "SUPABASE_DB_URL": database_urls.app, "HEARTBEAT_EVERY_S": "1"}
    async with serve(build_app(settings)) as url:
        worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.ingest_worker", env=environ)
        try:
            await start_bot(database_urls.bot, **PEOPLE, DRAGONFLY_API_BASE=url, DRAGONFLY_API_KEY=KEY)
            async with asyncio.timeout(STORY_S):
                while await _beats(as_owner) == 0:
                    await asyncio.sleep(0.1)

            await channel.type("golden-path")
            asked = await channel.expect("WAITING FOR CONFIRMATION")
            await channel.press(asked, "Confirm")

            await channel.expect("DONE", "OVERALL: PASS", at=asked)
        finally:
            worker.kill()
            await worker.wait()
    left = await as_owner.execute("SELECT count(*) FROM intake.simplicity_batches")
    assert await left.fetchone() == (0,)


async def _status(conn: Connection, job: str) -> str:
    [(status,)] = await (await conn.execute("SELECT status::text FROM ops.job_queue WHERE id = %s", [job])).fetchall()
    return str(status)


async def _beats(conn: Connection) -> int:
    [(count,)] = await (await conn.execute("SELECT count(*) FROM ops.worker_heartbeats")).fetchall()
    return int(count)
