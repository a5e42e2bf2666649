"""`kill -9` of the API or the ingest worker at any moment of a batch: no row is lost, and none is there twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from dataclasses import dataclass

import httpx
import psycopg
import pytest

from services.sandbox.railway.process import find_free_port
from tests.conftest import DatabaseUrls
from tests.integration.services.conftest import Eventually, RunningProcess, Spawn

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "1000"))
ROWS, BAD = 20_000, 50  # three pages
LONGEST_S = 1.5  # from the upload's first byte to the batch's end, on a machine at rest
KEY = "df_chaos"
HEADER = "Case Number,Plaintiff,Defendant,Judgment Amount,Filing Date,County\n"
# A silent worker's job is taken up at once, not after ten minutes.
WORKER = {"HEARTBEAT_EVERY_S": "0.2", "LOCK_TIMEOUT_S": "2", "REAP_EVERY_S": "0.3"}
STORED = """
SELECT batch.status, batch.validated_count, batch.failed_count,
       (SELECT count(*) FROM intake.simplicity_raw_rows WHERE batch_id = batch.id),
       (SELECT count(DISTINCT row_number) FROM intake.simplicity_raw_rows WHERE batch_id = batch.id),
       (SELECT count(*) FROM public.judgments WHERE batch_id = batch.id),
       (SELECT count(*) FROM ops.job_queue WHERE idempotency_key = 'enforcement_next_step:' || batch.id),
       (SELECT count(*) FROM intake.simplicity_files WHERE batch_id = batch.id)
FROM intake.simplicity_batches AS batch
"""
FORGET = "TRUNCATE intake.simplicity_batches, intake.simplicity_raw_rows, public.judgments, ops.job_queue CASCADE"


@dataclass
class System:
    """API and worker on one database; whoever was killed is started again."""

    spawn: Spawn
    dsn: str
    port: int

    async def start(self, who: str) -> RunningProcess:
        if who == "api":
            address = {"PORT": str(self.port), "LISTEN_ADDRESS": "127.0.0.1", "DRAGONFLY_API_KEY": KEY}
            process = await self.spawn("services.api", SUPABASE_DB_URL=self.dsn, **address)
            await process.line_with("Uvicorn running")
            return process
        return await self.spawn("services.ingest_worker", SUPABASE_DB_URL=self.dsn, **WORKER)

    async def upload(self, content: bytes) -> None:
        """As a client that tries again until the file is known to be stored."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=60, trust_env=False) as client:
            while True:
                try:
                    answer = await client.post(
                        "/api/v1/intake/upload",
                        headers={"X-DRAGONFLY-API-KEY": KEY},
                        files={"file": ("rows.csv", content)},
                    )
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
                    continue
                if answer.status_code in (202, 409):  # 409: it was stored, and the answer was lost
                    return
                await asyncio.sleep(0.1)


def file_of(number: int) -> bytes:
    bad = [f"R{number}-{n},P,D,nothing,1/2/2024,Kings\n" for n in range(ROWS - BAD, ROWS)]
    return "".join([HEADER, *(f"R{number}-{n},P,D,100,1/2/2024,Kings\n" for n in range(ROWS - BAD)), *bad]).encode()


@pytest.mark.parametrize(
    "rounds", [3, pytest.param(ROUNDS, marks=[pytest.mark.chaos, pytest.mark.timeout(ROUNDS * 60)], id="all")]
)
async def test_no_row_is_lost_or_doubled(
    spawn: Spawn, database_urls: DatabaseUrls, eventually: Eventually, rounds: int
) -> None:
    system = System(spawn, database_urls.app, find_free_port())
    running = {who: await system.start(who) for who in ("api", "worker")}
    chance = random.Random(4)  # noqa: S311 - the same moments in each run, as far as a machine allows

    async with await psycopg.AsyncConnection.connect(database_urls.owner, autocommit=True) as conn:
        for number in range(rounds):
            uploading = asyncio.create_task(system.upload(file_of(number)))
            await asyncio.sleep(chance.uniform(0, LONGEST_S))
            who = chance.choice(("api", "worker"))
            running[who].signal(signal.SIGKILL)
            await running[who].exit_code()
            running[who] = await system.start(who)
            await uploading

            async def stored() -> list[tuple[object, ...]]:
                found = await (await conn.execute(STORED)).fetchall()
                return found if found and all(row[0] == "completed" for row in found) else []

            good = ROWS - BAD
            assert await eventually(stored) == [("completed", good, BAD, ROWS, ROWS, good, 1, 0)], f"{number}: {who}"
            await conn.execute(FORGET)
