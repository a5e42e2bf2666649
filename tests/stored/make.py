"""Fills a database as people and accidents do, and stores it: `python -m tests.stored.make`.

Run it for a release whose stored data later code has to support. It writes `rows.jsonl`, `slack.json` and
`railway.json` to its own folder: the database, the messages in Slack, and Railway's deployments at one moment.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from services.clients.postgres.migrations import read_files
from services.sandbox.database import VERSION, plant
from services.sandbox.postgres.server import PostgresServer, prepare_cluster
from tests.stored.house import ANN, BEN, OLIVIA, RUNS, House, open_house
from tests.stored.rows import dump_rows

HERE = Path(__file__).parent
OLD, OLDER = "8d02b64e", "3f1c9a7b"
JOB = "00000000-0000-4000-8000-00000000000{}"

JOBS = """
INSERT INTO ops.job_queue (id, job_type, status, attempts, error_message, updated_at)
SELECT format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid, 'ingest_csv', 'failed', 5,
       'the file has no column amount', now() - interval '3 hours'
FROM generate_series(1, 9) AS n
"""
BATCHES = """
INSERT INTO intake.simplicity_batches (id, status, file_name, sha256, row_count, validated_count, failed_count)
SELECT format('00000000-0000-4000-9000-%s', lpad(n::text, 12, '0'))::uuid, state, state || '.csv',
       repeat(n::text, 64), 12, 9, 3
FROM unnest(ARRAY['received', 'processing', 'completed', 'failed']) WITH ORDINALITY AS made (state, n)
"""
OTHER_JOBS = """
INSERT INTO ops.job_queue (job_type, status, attempts, locked_at, locked_by)
VALUES ('memo', 'pending', 0, NULL, NULL), ('memo', 'completed', 1, NULL, NULL), ('memo', 'processing', 1, now(), 'm1')
"""
WAITING_JOBS = """
INSERT INTO ops.job_queue (job_type, run_at, created_at)
SELECT 'ingest_csv', now() - interval '20 minutes', now() - interval '20 minutes' FROM generate_series(1, 3)
"""
FAILED_JOBS = """
INSERT INTO ops.job_queue (job_type, status, attempts, max_attempts, error_message, updated_at)
SELECT %s, 'failed', %s, 5, 'no answer', now() FROM generate_series(1, %s)
"""
STUCK_WORKER = """
INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, last_heartbeat_at, started_at, current_job_id,
                                   current_job_started_at)
VALUES ('stuck-1', 'enforcement_engine', 'running', now(), now() - interval '1 hour', gen_random_uuid(),
        now() - interval '20 minutes')
"""


async def main() -> None:
    """Write the three files."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        os.environ.pop(name, None)
    directory = Path(tempfile.mkdtemp(prefix="dragonfly-stored-"))
    server = PostgresServer(directory / "postgres", fast=True)
    await asyncio.to_thread(server.start)
    try:
        planted = plant(directory / "sql")
        urls = await asyncio.to_thread(prepare_cluster, server, environment="prod", migrations=planted / "migrations")
        owner, app, bot = (one.reveal() for one in (urls.owner, urls.app, urls.bot))
        place = directory / "house"
        async with open_house(place, owner_dsn=owner, app_dsn=app, bot_dsn=bot, DRAGONFLY_SQL=str(planted)) as house:
            await fill(house)
            newest = read_files()[-1].version
            await dump_rows(server.superuser_dsn("dragonfly"), HERE / "rows.jsonl", migration=newest)
            shutil.copy(place / "railway.json", HERE / "railway.json")
            await asyncio.sleep(2)  # Slack's file is written later
            shutil.copy(place / "slack.json", HERE / "slack.json")
    finally:
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.erase)
        shutil.rmtree(directory)


async def fill(house: House) -> None:
    """At the end one act has been sent, one step is unknown, one run waits, and Slack and a pager are away."""
    for rows in (JOBS, BATCHES, OTHER_JOBS):
        await house.sql(rows)
    await house.start_bot(RUNS)
    report("incidents")
    await incidents(house)
    report("requests that come to nothing")
    await requests_that_end_early(house)
    report("changes that are carried out")
    await changes(house)
    report("alerts")
    await alerts(house)
    report("what is under way")
    await under_way(house)


async def incidents(house: House) -> None:
    """Create three incidents: one open and paged, one acknowledged, one resolved."""
    for number, line in enumerate(("sev1 api no answers", "sev2 ingest wrong amounts", "sev3 enforcement is slow"), 1):
        await house.type(f"/dragonfly incident open --new {line}", OLIVIA)
        await house.message(f"incident:{number}")
    await house.ask("incident ack 2", ANN)
    await house.ask("incident ack 3", BEN)
    await house.ask("incident resolve 3 it was the backup", BEN)
    await house.message("incident:2", "ACKNOWLEDGED")
    await house.message("incident:3", "RESOLVED")
    await house.phone.wait_for()


async def request(house: House, line: str) -> int:
    """Type the command; return the id of the run that it files."""
    [(before,)] = await house.sql("SELECT coalesce(max(id), 0) FROM chatops.runs")
    await house.type(f"/dragonfly {line}", OLIVIA)
    run_id = int(before) + 1
    try:
        await house.message(f"run:{run_id}")
    except AssertionError:
        raise AssertionError(f"{line}: {[one.text for one in house.messages('')[-1:]]}") from None
    return run_id


async def press(house: House, run_id: int, action: str, user: object) -> None:
    message = await house.message(f"run:{run_id}", action)
    await house.click(message, action, user)  # type: ignore[arg-type]


async def requests_that_end_early(house: House) -> None:
    denied = await request(house, "redeploy api")
    await press(house, denied, "run.deny", BEN)
    await house.fill_in(BEN, answer="not today")
    await house.until_run(denied, "cancelled")
    cancelled = await request(house, f"deploy api {OLD}")
    await house.ask(f"cancel {cancelled}")
    await house.until_run(cancelled, "cancelled")
    expired = await request(house, "scale enforcement 3")
    await house.sql("UPDATE chatops.runs SET expires_at = clock_timestamp() WHERE id = %s", expired)
    await house.until_run(expired, "expired")
    await request(house, "golden-path")
    await request(house, f"rollback-db {VERSION}")
    await request(house, "restart ingest --through-zero")
    await request(house, "scale ingest 3")


async def changes(house: House) -> None:
    """Execute changes: a rollback that leaves a lock, stopped workers (which voids waiting runs), a failed restart."""
    rollback = await request(house, f"rollback enforcement to {OLD}")
    await press(house, rollback, "run.approve", ANN)
    await house.until_run(rollback, "succeeded")
    await house.type("/dragonfly stop-workers", OLIVIA)
    await house.fill_in(OLIVIA, answer="amounts are doubled")
    await house.until("SELECT state::text FROM chatops.runs WHERE playbook = 'stop-workers'", "succeeded")
    for worker in ("ingest", "enforcement"):
        again = await request(house, f"scale {worker} 1")
        await press(house, again, "run.confirm", OLIVIA)
        await house.until_run(again, "succeeded")
    house.wire.hold("restart", "before", status=404).release()
    failed = await request(house, "restart ingest")
    await press(house, failed, "run.confirm", OLIVIA)
    await house.until_run(failed, "failed")


async def alerts(house: House) -> None:
    """Raise alerts: one resolved, one silenced, one acknowledged through its incident, one not announced yet."""
    await house.sql(FAILED_JOBS, "memo", 5, 3)
    await house.sql(WAITING_JOBS)
    await alert(house, "exhausted", "firing")
    await house.sql("DELETE FROM ops.job_queue WHERE job_type = 'memo' AND status = 'failed'")
    await house.message("incident:4")
    await house.ask("incident ack 4", ANN)
    await house.type("/dragonfly silence failed_jobs 2h known since Monday")
    await house.message("incident:4", "ACKNOWLEDGED")
    await house.until("SELECT count(*) FROM chatops.silences", 1)
    await alert(house, "exhausted", "resolved")
    await house.sql(FAILED_JOBS, "review", 2, 12)
    await house.sql(STUCK_WORKER)
    await alert(house, "failed_jobs", "pending")
    await alert(house, "workers", "pending")


async def alert(house: House, rule: str, state: str) -> None:
    """Wait until an alert of the rule is in this state."""
    query = "SELECT count(*) > 0 FROM chatops.alerts WHERE split_part(fingerprint, '.', 1) = %s AND state::text = %s"
    try:
        await house.until(query, True, rule, state)
    except AssertionError:
        rows = await house.sql("SELECT fingerprint, state::text, summary, held FROM chatops.alerts")
        raise AssertionError(f"no {rule} is {state}: {rows}") from None


async def under_way(house: House) -> None:
    unknown, ingest = await request(house, "scale enforcement 2"), await request(house, "scale ingest 2")
    requeue, approved = (
        await request(house, f"requeue {JOB.format(1)}"),
        await request(house, f"requeue {JOB.format(2)}"),
    )
    held = house.wire.hold("commitPatch", "after", lose=True)
    await press(house, unknown, "run.confirm", OLIVIA)
    await held.reached.wait()
    house.wire.status = 500
    held.release()
    await house.until_run(unknown, "unknown")
    house.wire.status = None
    await request(house, "redeploy api")
    await request(house, "restart api")
    await request(house, f"deploy api {OLD}")
    await request(house, "unlock enforcement the cause is mended")
    await press(house, requeue, "run.confirm", OLIVIA)
    await house.until(
        "SELECT state::text FROM chatops.run_steps WHERE run_id = %s AND step->>'kind' = 'VerifyJobsSettled'",
        "running",
        requeue,
    )
    lease = "INSERT INTO chatops.leases VALUES (%s, 'gone:1', 1, clock_timestamp() + interval '30 s')"
    await house.sql(lease, f"run:{approved}")  # of a replica that takes it and dies
    await press(house, approved, "run.confirm", OLIVIA)
    await house.until_run(approved, "approved")
    last = house.wire.hold("commitPatch", "before")
    await press(house, ingest, "run.confirm", OLIVIA)
    await last.reached.wait()
    house.workspace.faults.is_down = house.phone.is_away = True
    await house.type("/dragonfly incident open --new sev2 api said while Slack was away", ANN)
    await house.until("SELECT count(*) FROM chatops.incidents", 5)


def report(what: str) -> None:
    sys.stdout.write(f"{what} …\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
