"""Batches as the API stores them, without the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from hashlib import sha256

import pytest

from services.clients.postgres.intake import insert_batch, insert_block
from services.clients.postgres.pool import Database
from services.clients.postgres.worker import queue_job
from services.domain.intake import SOURCE_SYSTEM
from services.domain.secrets import Secret
from services.domain.systems import JOB_TYPE
from tests.conftest import DatabaseUrls

HEADER = "Case Number,Plaintiff,Defendant,Judgment Amount,Filing Date,County"
BLOCK = 100_000


def good_lines(count: int) -> list[str]:
    return [f"C-{n},P,D,100,1/2/2024,Kings" for n in range(1, count + 1)]


async def store_batch(
    database: Database, lines: Sequence[str], *, header: str = HEADER, source_system: str = SOURCE_SYSTEM
) -> str:
    """Store a batch of these lines below a header, with its job; return its id."""
    content = "\n".join([header, *lines]).encode()
    async with database.transaction(timeout_s=30) as conn:
        batch_id = await insert_batch(
            conn,
            file_name="x",
            sha256=sha256(content).hexdigest(),
            header=header,
            row_count=len(lines),
            source_system=source_system,
        )
        for number, start in enumerate(range(0, len(content), BLOCK), start=1):
            block = content[start : start + BLOCK]
            await insert_block(conn, batch_id=batch_id, block_number=number, content=block)
        await queue_job(conn, job_type=JOB_TYPE, payload={"batch_id": batch_id})
    return batch_id


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """A pool like that of the API and the workers."""
    database = Database.connect_lazily(Secret(database_urls.app), application_name="dragonfly-test", timeout_s=60.0)
    yield database
    await database.close()
