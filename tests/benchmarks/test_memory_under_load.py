"""Resident memory of the API and both workers under continuous uploads and jobs: it has to stop growing."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import count, pairwise

import httpx
import pytest

from services.clients.postgres.pool import Connection
from services.sandbox.web_server import find_free_port
from tests.benchmarks.measuring import median, resident_mb, show
from tests.conftest import DatabaseUrls
from tests.integration.services.conftest import Spawn
from tests.integration.services.conftest import spawn as spawn

MINUTES = float(os.environ.get("MEMORY_MINUTES", "10"))
AIM_MB = 2.0  # growth from the median of the second third to that of the last one
SAMPLE_EVERY_S = 0.5
SENDERS = 2
PAUSE_S = 0.2
KEY = "df_benchmark"
HEADER = "Case Number,Plaintiff,Defendant,Judgment Amount,Filing Date,County\n"
FEW, MANY = 500, 10_000  # rows; MANY are two pages of the ingest worker, five of the enforcement worker
FILES = 20  # their cases repeat, so that the database does not grow without end
UNLIMITED = {"REQUESTS_PER_MINUTE_PER_ADDRESS": "1000000", "REQUESTS_PER_MINUTE_PER_KEY": "1000000"}
ENDED = "SELECT job_type || ' ' || status, count(*) FROM ops.job_queue GROUP BY 1"

Samples = Mapping[str, Sequence[tuple[float, float]]]  # process → seconds since the start, MB


@pytest.mark.benchmark
@pytest.mark.timeout(MINUTES * 60 + 300)
async def test_memory_is_flat_under_load(spawn: Spawn, database_urls: DatabaseUrls, as_owner: Connection) -> None:
    dsn, port = {"SUPABASE_DB_URL": database_urls.app}, find_free_port()
    address = {"PORT": str(port), "LISTEN_ADDRESS": "127.0.0.1", "DRAGONFLY_API_KEY": KEY}
    processes = {
        "API": await spawn("services.api", **address, **dsn, **UNLIMITED),
        "ingest worker": await spawn("services.ingest_worker", **dsn),
        "enforcement worker": await spawn("services.enforcement_worker", **dsn),
    }
    await processes["API"].line_with("Application startup complete")
    answers: Counter[int] = Counter()
    numbers = count()

    senders = [asyncio.create_task(_send_files(port, numbers, answers)) for _ in range(SENDERS)]
    samples = await _sample({who: running.process.pid for who, running in processes.items()}, senders)
    for sender in senders:
        sender.cancel()
    await asyncio.gather(*senders, return_exceptions=True)

    ended = dict(await (await as_owner.execute(ENDED)).fetchall())
    show(
        f"resident memory under load for {MINUTES:g} minutes, medians of thirds, growth from the second to the last",
        *((who, _figures(samples[who])) for who in processes),
        ("uploads by answer", ", ".join(f"{status}: {number}" for status, number in sorted(answers.items()))),
        ("jobs", ", ".join(f"{what}: {number}" for what, number in sorted(ended.items()))),
    )
    assert not any("failed" in what for what in ended)
    assert {who: growth for who in processes if (growth := _growth_mb(samples[who])) > 2 * AIM_MB} == {}


async def _send_files(port: int, numbers: count[int], answers: Counter[int]) -> None:
    """Upload files one after the other, some of them invalid, and follow each until its batch is completed."""
    client = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}/api/v1/intake",
        headers={"X-DRAGONFLY-API-KEY": KEY},
        timeout=60,
        trust_env=False,
    )
    async with client:
        for number in numbers:
            content = _file(number)
            for _ in range(2 if number % 5 == 0 else 1):  # the second upload is a known file
                answer = await client.post("/upload", files={"file": ("rows.csv", content)})
                answers[answer.status_code] += 1
                if answer.status_code == 202:
                    await _follow(client, answer.json()["batch_id"])
            await asyncio.sleep(PAUSE_S)


async def _follow(client: httpx.AsyncClient, batch_id: str) -> None:
    while (await client.get(f"/batches/{batch_id}")).json()["status"] != "completed":
        await asyncio.sleep(0.05)
    (await client.get(f"/batches/{batch_id}/failed-rows")).raise_for_status()
    (await client.get("/batches")).raise_for_status()


def _file(number: int) -> str:
    """Make a file with new bytes and repeated cases. Every seventh has wrong columns; every twentieth row is
    invalid."""
    if number % 7 == 6:
        return f"a,b\n{number},1\n"
    rows = (
        f"{number % FILES}-{n},Creditor {number},Debtor {n},{'none' if n % 20 == 0 else n + 100},1/2/2024,Kings\n"
        for n in range(MANY if number % 10 == 0 else FEW)
    )
    return "".join([HEADER, *rows])


async def _sample(pids: Mapping[str, int], senders: Sequence[asyncio.Task[None]]) -> Samples:
    samples = defaultdict(list)
    started = time.monotonic()
    while (since_s := time.monotonic() - started) < MINUTES * 60:
        for who, pid in pids.items():
            samples[who].append((since_s, resident_mb(pid)))
        done, _ = await asyncio.wait(senders, timeout=SAMPLE_EVERY_S)
        for sender in done:
            sender.result()  # raises what ended it
    return samples


def _thirds(samples: Sequence[tuple[float, float]]) -> list[list[float]]:
    bounds = [n * MINUTES * 60 / 3 for n in range(4)]
    return [[mb for at, mb in samples if begin <= at < end] for begin, end in pairwise(bounds)]


def _growth_mb(samples: Sequence[tuple[float, float]]) -> float:
    _, second, last = _thirds(samples)
    return median(last) - median(second)


def _figures(samples: Sequence[tuple[float, float]]) -> str:
    thirds = _thirds(samples)
    later = [(at, mb) for at, mb in samples if at >= MINUTES * 60 / 3]
    slope = statistics.linear_regression(*zip(*later, strict=True)).slope * 60
    medians = " → ".join(f"{median(third):.1f}" for third in thirds)
    growth = f"{_growth_mb(samples):+.1f} MB (aim: < {AIM_MB:g} MB)"
    return f"{medians} MB   {growth}   {slope:+.2f} MB/min   peak {max(mb for _, mb in samples):.1f} MB"
