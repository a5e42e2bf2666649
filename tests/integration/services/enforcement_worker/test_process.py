"""The worker as it runs on Railway, told everything by its environment."""

from __future__ import annotations

import json
import signal
from typing import Any

from services.postgres.pool import Connection
from tests.conftest import DatabaseUrls
from tests.integration.services.conftest import Eventually, RunningProcess, Spawn
from tests.integration.services.enforcement_worker.conftest import StoreBatch
from tests.openai_server import GOOD_MEMO, OpenAIServer, Said, completion

WORKER = "services.enforcement_worker"
KEY = "sk-canary-key"


async def queue_job(conn: Connection, batch_id: str) -> None:
    query = "INSERT INTO ops.job_queue (job_type, payload) VALUES ('enforcement_next_step', %s::jsonb)"
    await conn.execute(query, (json.dumps({"batch_id": batch_id}),))


async def result_of(conn: Connection, worker: RunningProcess) -> dict[str, Any]:
    await worker.line_with("-> completed")
    row = await (await conn.execute("SELECT result FROM ops.job_queue")).fetchone()
    assert row
    found: dict[str, Any] = row[0]
    return found


async def test_without_a_key_the_result_says_that_it_is_deterministic(
    spawn: Spawn, database_urls: DatabaseUrls, as_owner: Connection, store_batch: StoreBatch
) -> None:
    await queue_job(as_owner, await store_batch({}, {}))

    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app)

    result = await result_of(as_owner, worker)
    assert result["judgments"] == 2
    assert result["memos"] == {
        "written": 0,
        "note": "OPENAI_API_KEY is not set, so results are deterministic only",
    }


async def test_with_a_key_memos_are_written(
    spawn: Spawn, database_urls: DatabaseUrls, as_owner: Connection, store_batch: StoreBatch, server: OpenAIServer
) -> None:
    await queue_job(as_owner, await store_batch({"judgment_amount": "900.00"}, {"judgment_amount": "90000.00"}))

    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.base_url)

    result = await result_of(as_owner, worker)
    assert result["memos"] == {"written": 2, "refused": 0, "left": 0, "cost_usd": "0.000240"}
    assert "[enforcement_engine] Memos: 2 written, 0 refused, 0 left, 0.000240 USD" in worker.lines
    assert json.loads(server.requests[0])["model"] == "gpt-4o-mini"
    assert KEY not in "\n".join(worker.lines)


async def test_a_model_of_unknown_price_is_not_asked(
    spawn: Spawn, database_urls: DatabaseUrls, as_owner: Connection, store_batch: StoreBatch, server: OpenAIServer
) -> None:
    await queue_job(as_owner, await store_batch({}))
    asking = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url, "OPENAI_MODEL": "another"}

    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, **asking)

    result = await result_of(as_owner, worker)
    assert "OPENAI_INPUT_USD_PER_MTOK" in result["memos"]["note"]
    assert server.requests == []


async def test_a_stop_does_not_wait_for_the_service(
    spawn: Spawn,
    database_urls: DatabaseUrls,
    as_owner: Connection,
    store_batch: StoreBatch,
    server: OpenAIServer,
    eventually: Eventually,
) -> None:
    server.speak = lambda _: Said(completion(json.dumps(GOOD_MEMO)), after_s=600)
    batch_id = await store_batch({})
    await queue_job(as_owner, batch_id)
    asking = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url, "STOP_GRACE_S": "0.2"}
    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, **asking)
    await eventually(server.was_asked)

    worker.signal(signal.SIGTERM)

    assert await worker.exit_code() == 0
    row = await (await as_owner.execute("SELECT status, attempts FROM ops.job_queue")).fetchone()
    assert row == ("pending", 0)
    figures = await (await as_owner.execute("SELECT count(*) FROM enforcement.assessments")).fetchone()
    assert figures == (1,)
