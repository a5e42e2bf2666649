"""The heartbeat's report about the sessions that the jobs use."""

from __future__ import annotations

import pytest

from services.clients.postgres.pool import Connection, Database
from services.domain.secrets import Secret
from services.job_queue.heartbeat import WorkerHeartbeat, WorkerState
from tests.conftest import DatabaseUrls
from tests.outside import PATIENCE_S


@pytest.mark.parametrize("works", [True, False])
async def test_a_beat_reports_whether_the_jobs_reach_the_database(
    database_urls: DatabaseUrls,
    as_owner: Connection,
    unused_tcp_port: int,
    works: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for limit in ("TIMEOUT_S", "PROBE_TIMEOUT_S"):  # a busy machine is slow
        monkeypatch.setattr(f"services.job_queue.heartbeat.{limit}", PATIENCE_S)
    nowhere = f"postgresql://u:p@127.0.0.1:{unused_tcp_port}/d"
    own, of_the_jobs = (
        Database.connect_lazily(Secret(dsn), application_name="test", max_size=1, timeout_s=PATIENCE_S)
        for dsn in (database_urls.app, database_urls.app if works else nowhere)
    )
    beating = WorkerHeartbeat(
        WorkerState(),
        worker_id="ingest-1",
        worker_type="ingest_processor",
        git_sha="a1b2c3d4",
        database=own,
        work_database=of_the_jobs,
    )

    await beating.beat()

    beats = await (await as_owner.execute("SELECT worker_id, database_ok FROM ops.worker_heartbeats")).fetchall()
    assert beats == [("ingest-1", works)]
    await own.close()
    await of_the_jobs.close()
