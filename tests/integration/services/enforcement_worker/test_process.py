"""The worker as it runs on Railway, configured only by its environment."""

from __future__ import annotations

import json
import signal
from typing import Any

from services.clients.postgres.pool import Connection
from services.enforcement_worker.memo_jobs import NO_KEY
from tests.conftest import DatabaseUrls
from tests.integration.services.conftest import Eventually, Spawn
from tests.integration.services.enforcement_worker.conftest import StoreBatch
from tests.openai_server import GOOD_MEMO, OpenAIServer, Posted, response

WORKER = "services.enforcement_worker"
KEY = "sk-canary-key"


async def queue_job(conn: Connection, batch_id: str) -> None:
    query = "INSERT INTO ops.job_queue (job_type, payload) VALUES ('enforcement_next_step', %s::jsonb)"
    await conn.execute(query, (json.dumps({"batch_id": batch_id}),))


async def results(conn: Connection, eventually: Eventually, *, jobs: int) -> dict[str, dict[str, Any]]:
    """Return `{job type: result}`, once so many jobs are completed."""
    query = "SELECT job_type, result FROM ops.job_queue WHERE status = 'completed'"

    async def are_done() -> bool:
        return len(await (await conn.execute(query)).fetchall()) == jobs

    await eventually(are_done)
    return dict(await (await conn.execute(query)).fetchall())


async def test_without_a_key_the_result_reports_that_it_is_deterministic(
    spawn: Spawn, database_urls: DatabaseUrls, as_owner: Connection, store_batch: StoreBatch, eventually: Eventually
) -> None:
    await queue_job(as_owner, await store_batch({}, {}))

    await spawn(WORKER, SUPABASE_DB_URL=database_urls.app)

    found = await results(as_owner, eventually, jobs=1)
    result = found["enforcement_next_step"]
    assert result["judgments"] == 2
    assert result["memos"] == {"queued": False, "note": NO_KEY}
    assert await (await as_owner.execute("SELECT count(*) FROM ops.job_queue")).fetchone() == (1,)


async def test_with_a_key_memos_are_written_by_a_job_of_their_own(
    spawn: Spawn,
    database_urls: DatabaseUrls,
    as_owner: Connection,
    store_batch: StoreBatch,
    server: OpenAIServer,
    eventually: Eventually,
) -> None:
    await queue_job(as_owner, await store_batch({"judgment_amount": "900.00"}, {"judgment_amount": "90000.00"}))

    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.base_url)

    found = await results(as_owner, eventually, jobs=2)
    assert found["enforcement_next_step"]["memos"] == {"queued": True}
    assert found["enforcement_memos"] == {"written": 2, "refused": 0, "left": 0, "cost_usd": "0.000180"}
    await worker.line_with("[enforcement_engine] Memos: 2 written, 0 refused, 0 left, 0.000180 USD")
    assert json.loads(server.requests[0])["model"] == "gpt-6-luna"
    assert KEY not in "\n".join(worker.lines)


async def test_a_model_of_unknown_price_is_not_asked(
    spawn: Spawn,
    database_urls: DatabaseUrls,
    as_owner: Connection,
    store_batch: StoreBatch,
    server: OpenAIServer,
    eventually: Eventually,
) -> None:
    await queue_job(as_owner, await store_batch({}))
    asking = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url, "OPENAI_MODEL": "another"}

    await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, **asking)

    found = await results(as_owner, eventually, jobs=1)
    assert "OPENAI_INPUT_USD_PER_MTOK" in found["enforcement_next_step"]["memos"]["note"]
    assert server.requests == []


async def test_a_job_for_memos_of_a_worker_that_had_a_key_does_not_wait_for_ever(
    spawn: Spawn, database_urls: DatabaseUrls, as_owner: Connection, eventually: Eventually
) -> None:
    await as_owner.execute("INSERT INTO ops.job_queue (job_type) VALUES ('enforcement_memos')")

    await spawn(WORKER, SUPABASE_DB_URL=database_urls.app)

    found = await results(as_owner, eventually, jobs=1)
    assert found["enforcement_memos"]["written"] == 0
    assert "OPENAI_API_KEY" in found["enforcement_memos"]["note"]


async def test_figures_do_not_wait_for_a_model_that_is_slow(
    spawn: Spawn,
    database_urls: DatabaseUrls,
    as_owner: Connection,
    store_batch: StoreBatch,
    server: OpenAIServer,
    eventually: Eventually,
) -> None:
    server.speak = lambda _: Posted(response(json.dumps(GOOD_MEMO)), after_s=600)
    first, second = await store_batch({}), await store_batch({}, {})
    await queue_job(as_owner, first)
    asking = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url, "STOP_GRACE_S": "0.2"}
    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, **asking)
    await eventually(server.was_asked)

    await queue_job(as_owner, second)  # while the model thinks

    found = await results(as_owner, eventually, jobs=2)
    assert found == {"enforcement_next_step": found["enforcement_next_step"]}
    worker.signal(signal.SIGTERM)
    assert await worker.exit_code() == 0


async def test_a_stop_does_not_wait_for_the_service(
    spawn: Spawn,
    database_urls: DatabaseUrls,
    as_owner: Connection,
    store_batch: StoreBatch,
    server: OpenAIServer,
    eventually: Eventually,
) -> None:
    server.speak = lambda _: Posted(response(json.dumps(GOOD_MEMO)), after_s=600)
    await queue_job(as_owner, await store_batch({}))
    asking = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url, "STOP_GRACE_S": "0.2"}
    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, **asking)
    await eventually(server.was_asked)

    worker.signal(signal.SIGTERM)

    assert await worker.exit_code() == 0
    jobs = "SELECT job_type, status, attempts FROM ops.job_queue ORDER BY job_type"
    assert await (await as_owner.execute(jobs)).fetchall() == [
        ("enforcement_memos", "pending", 0),
        ("enforcement_next_step", "completed", 1),
    ]
