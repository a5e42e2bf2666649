"""`kill -9` of the API or the ingest worker at any moment of a batch: no row is lost or duplicated."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from services.clients.postgres.pool import Connection
from services.ingest_worker import rows
from tests.conftest import DatabaseUrls
from tests.integration.services.conftest import Spawn
from tests.integration.services.fleet import KINDS, Fleet, Kind, Replica
from tests.preloaded import preload

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "1000"))
SEED = int(os.environ.get("CHAOS_SEED", "4"))
SHARDS = 4
KILLS = Path(os.environ.get("CHAOS_KILLS", "build/kills.jsonl"))

ROWS, BAD = 2 * rows.ROWS + 1000, 50  # three pages, therefore three commits
GOOD = ROWS - BAD
HEADER = "Case Number,Plaintiff,Defendant,Judgment Amount,Filing Date,County\n"
MEASURED_EVERY = 25  # rounds, because the machine's load changes
BEYOND = 1.2  # of an undisturbed round's length: some kills come after its end
PATIENCE_S = 60.0

# A client that tries again after a lost answer is refused, and that is an event too.
STORED = """
SELECT (SELECT array_agg(ARRAY[status, validated_count::text, failed_count::text]) FROM intake.simplicity_batches),
       (SELECT count(*) FROM intake.simplicity_raw_rows),
       (SELECT count(DISTINCT row_number) FROM intake.simplicity_raw_rows),
       (SELECT count(*) FROM intake.simplicity_raw_rows WHERE status = 'failed'),
       (SELECT count(*) FROM public.judgments),
       (SELECT array_agg(job_type || ' ' || status ORDER BY job_type) FROM ops.job_queue),
       (SELECT count(*) FROM intake.simplicity_files),
       (SELECT array_agg(event_type ORDER BY id) FROM ops.intake_logs WHERE event_type <> 'upload_refused')
"""
WHOLE = (
    [["completed", str(GOOD), str(BAD)]],
    ROWS,
    ROWS,
    BAD,
    GOOD,
    ["enforcement_next_step pending", "simplicity_ingest completed"],
    0,
    ["batch_received", "batch_completed"],
)
MOMENT = """
SELECT batch.status, batch.validated_count + batch.failed_count, job.status, job.locked_by,
       (SELECT regexp_replace(query, '^(--[^\\n]*\\n)+', '') FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'dragonfly-%' AND xact_start IS NOT NULL
            AND query ~ '(simplicity|judgments|COMMIT)'
        ORDER BY xact_start LIMIT 1)
FROM (SELECT) AS one
LEFT JOIN intake.simplicity_batches AS batch ON true
LEFT JOIN ops.job_queue AS job ON job.job_type = 'simplicity_ingest'
"""
# The effect of 10 min: the heartbeats of dead workers and the locks of their jobs are old.
AGE = """
WITH beats AS (
    UPDATE ops.worker_heartbeats SET last_heartbeat_at = now() - interval '1 hour' WHERE worker_id = ANY (%(dead)s)
)
UPDATE ops.job_queue SET locked_at = now() - interval '1 hour'
WHERE status = 'processing' AND locked_by = ANY (%(dead)s)
"""
FORGET = """
TRUNCATE intake.simplicity_batches, intake.simplicity_raw_rows, public.judgments, ops.job_queue, ops.intake_logs CASCADE
"""


class Moment(NamedTuple):
    """The progress of a batch, and the statement that is being executed."""

    batch: str | None
    judged: int | None
    job: str | None
    locked_by: str | None
    statement: str | None

    @property
    def phase(self) -> str:
        if self.batch is None:
            return "before the upload is stored"
        if self.job == "pending":
            return "stored, not claimed"
        if self.job == "completed":
            return "after the end"
        if self.batch == "completed":
            return "completed, the job not yet"
        return {0: "in the first page", ROWS: "all pages stored, not completed"}.get(self.judged or 0, "between pages")

    @property
    def doing(self) -> str:
        return " ".join((self.statement or "nothing").partition("(")[0].split()[:3])


EVERY_LONG_PHASE = {"before the upload is stored", "in the first page", "between pages", "after the end"}


SAMPLE = pytest.param(3, 0, id="sample")
THOUSAND = [
    pytest.param(
        ROUNDS // SHARDS,
        shard,
        id=f"shard-{shard}",
        marks=[pytest.mark.chaos, pytest.mark.timeout(120 + ROUNDS // SHARDS * 20)],
    )
    for shard in range(SHARDS)
]


@pytest.mark.parametrize(("rounds", "shard"), [SAMPLE, *THOUSAND])
async def test_no_row_is_lost_or_doubled(
    database_urls: DatabaseUrls, spawn: Spawn, request: pytest.FixtureRequest, rounds: int, shard: int
) -> None:
    preload()
    chance = random.Random(SEED + shard)  # noqa: S311 - the same moments in each run, as far as a machine allows
    phases: Counter[str] = Counter()

    connecting = psycopg.AsyncConnection.connect(database_urls.superuser, autocommit=True)
    async with await connecting as conn, Fleet(spawn, database_urls.app).started() as fleet:
        await undisturbed(fleet, conn)  # the first round is slower
        for number in range(rounds):
            if number % MEASURED_EVERY == 0:
                upload_s, whole_s = await undisturbed(fleet, conn)
            started = time.monotonic()
            uploading = asyncio.create_task(fleet.upload(file_of(number)))
            kind = chance.choice(KINDS)
            await asyncio.sleep(chance.uniform(0, BEYOND * (upload_s if kind == "api" else whole_s)))
            await fleet.one_runs(kind)
            moment = await read_moment(conn)
            await fleet.kill(victim(fleet, kind, moment, chance))
            await uploading

            reported = f"round {number} of shard {shard}, seed {SEED}: {kind} killed {moment.phase}, {moment.doing}"
            assert await settled(fleet, conn) == WHOLE, reported
            await conn.execute(FORGET)
            phases[moment.phase] += 1
            if request.node.get_closest_marker("chaos"):
                note(shard, number, kind, moment, time.monotonic() - started)

    if rounds >= 100:
        assert set(phases) >= EVERY_LONG_PHASE


async def undisturbed(fleet: Fleet, conn: Connection) -> tuple[float, float]:
    """Return the seconds until the file is stored, and until its batch is completed."""
    started = time.monotonic()
    await fleet.upload(file_of(-1))
    stored = time.monotonic()
    assert await settled(fleet, conn) == WHOLE
    ended = time.monotonic()
    await conn.execute(FORGET)
    return stored - started, ended - started


async def read_moment(conn: Connection) -> Moment:
    row = await (await conn.execute(MOMENT.encode())).fetchone()
    assert row
    return Moment(*row)


def victim(fleet: Fleet, kind: Kind, moment: Moment, chance: random.Random) -> Replica:
    """Return the API that has the request, or the worker that processes the batch; otherwise any of that kind."""
    if kind == "api":
        running = fleet.running("api")
        return fleet.serving if fleet.serving in running else chance.choice(running)
    running = fleet.running("worker")
    return next((one for one in running if one.worker_id == moment.locked_by), None) or chance.choice(running)


async def settled(fleet: Fleet, conn: Connection) -> tuple[object, ...] | None:
    """Return what is stored once the job has ended, or after `PATIENCE_S`."""
    ended = "SELECT 1 FROM ops.job_queue WHERE job_type = 'simplicity_ingest' AND status IN ('completed', 'failed')"
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        await conn.execute(AGE, {"dead": fleet.dead})
        if await (await conn.execute(ended)).fetchone():
            break
        await asyncio.sleep(0.02)
    return await (await conn.execute(STORED)).fetchone()


def file_of(number: int) -> bytes:
    good = (f"R{number}-{n},P,D,100,1/2/2024,Kings\n" for n in range(GOOD))
    bad = (f"R{number}-{n},P,D,nothing,1/2/2024,Kings\n" for n in range(GOOD, ROWS))
    return "".join([HEADER, *good, *bad]).encode()


def note(shard: int, number: int, kind: str, moment: Moment, took_s: float) -> None:
    """Append one line for this round in a single write, so that shards can write in parallel."""
    KILLS.parent.mkdir(parents=True, exist_ok=True)
    line = {"seed": SEED, "shard": shard, "round": number, "killed": kind, "phase": moment.phase}
    with KILLS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line | {"doing": moment.doing, "took_s": round(took_s, 2)}) + "\n")
