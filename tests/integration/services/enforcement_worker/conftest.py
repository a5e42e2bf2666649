"""Batches of judgments for the enforcement worker, and a server that writes memos."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

import pytest

from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.worker import ClaimedJob
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls
from tests.openai_server import OpenAIServer

StoreBatch = Callable[..., Awaitable[str]]


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer().serve() as running:
        yield running


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """A pool like a worker's: sessions as dragonfly_app."""
    database = Database.connect_lazily(
        Secret(database_urls.app), application_name="dragonfly-test", max_size=2, timeout_s=60.0
    )
    yield database
    await database.close()


@pytest.fixture
def store_batch(as_owner: Connection) -> StoreBatch:
    """Stores a batch of judgments taken in on 1 December 2025; each is `{column: value}`, the other columns are made
    up."""

    async def store(*judgments: Mapping[str, Any]) -> str:
        cursor = await as_owner.execute(
            "INSERT INTO intake.simplicity_batches (file_name, sha256) VALUES ('x', repeat('0', 64)) RETURNING id::text"
        )
        [batch_id] = await cursor.fetchone() or []
        for judgment in judgments:
            usual = {
                "case_number": str(uuid4()),
                "county": "Kings",
                "plaintiff": "P",
                "defendant": "D",
                "judgment_amount": "5000.00",
                "filing_date": "2025-01-01",
                "is_consumer_debt": False,
                "created_at": "2025-12-01 12:00Z",
            }
            values = {**usual, **judgment, "batch_id": batch_id}
            places = ", ".join(f"%({column})s" for column in values)
            query = f"INSERT INTO public.judgments ({', '.join(values)}) VALUES ({places})"  # noqa: S608 - our own names
            await as_owner.execute(query.encode(), values)
        return str(batch_id)

    return store


def job_for(batch_id: str) -> ClaimedJob:
    return ClaimedJob(str(uuid4()), "enforcement_next_step", {"batch_id": batch_id}, 1, 5, 1)
