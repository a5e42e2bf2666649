"""Reads the test file, and gathers the facts of the golden path's verification."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from bot.world import World
from playbooks.checks import golden_path
from services.clients.postgres.operated import (
    count_batch_rows,
    find_golden_batch,
    list_batch_jobs,
    list_exposures,
    read_heartbeats,
)
from services.domain.batches import GoldenBatch
from services.domain.errors import Unavailable
from services.domain.intake import SAMPLE, SampleFile, job_keys, read_sample
from services.domain.runs import Run

ROOT = Path(__file__).parents[2]


TOO_LARGE = 100_000  # bytes: the file has only a few lines


def read_sample_file(path: Path = ROOT / SAMPLE) -> SampleFile | Unavailable:
    """Read the test file; Unavailable if it can't be used."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return Unavailable("test file", f"{SAMPLE} cannot be read ({type(error).__name__})")
    if len(content) > TOO_LARGE:
        return Unavailable("test file", f"it has more than {TOO_LARGE} bytes")
    try:
        return read_sample(content)
    except ValueError as error:
        return Unavailable("test file", str(error))


def file_of(run: Run) -> bytes | Unavailable:
    """The file that this run uploads."""
    sample = read_sample_file()
    return sample if isinstance(sample, Unavailable) else sample.of_run(run.id, run.created_at)


async def read_golden_batch(world: World, sha256: str) -> GoldenBatch | Unavailable | None:
    """Read the batch of the file with this hash; None if there is none."""
    return await world.read(find_golden_batch, sha256=sha256)


async def gather_verification(
    world: World, *, sha256: str, batch_id: str, rows: int, upload_only: bool = False
) -> golden_path.Facts:
    """Gather the facts of the five SQL verifications."""
    async with asyncio.TaskGroup() as group:
        batch = group.create_task(read_golden_batch(world, sha256))
        counts = group.create_task(world.read(count_batch_rows, batch_id=batch_id))
        jobs = group.create_task(world.read(list_batch_jobs, keys=job_keys(batch_id)))
        exposures = group.create_task(world.read(list_exposures))
        reading = group.create_task(world.read(read_heartbeats))
    beats = reading.result()
    seen = None if isinstance(beats, Unavailable) else beats
    return golden_path.Facts(
        as_of=seen.as_of if seen else datetime.now(UTC),
        stale_after=world.settings.stale_after,
        rows=rows,
        upload_only=upload_only,
        batch=batch.result(),
        counts=counts.result(),
        jobs=jobs.result(),
        exposures=exposures.result(),
        heartbeats=beats if isinstance(beats, Unavailable) else beats.rows,
        all_visible=seen is None or seen.all_visible,
    )
