"""What a language model advises. The typed calls of `sql/queries/memos.sql`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from services.postgres.pool import Connection
from services.postgres.queries import SQL


@dataclass(frozen=True)
class WantedMemo:
    """A profile without a memo; `facts` is `{fact: word}`. `wanted`: how many such profiles the batch has."""

    id: str
    facts: Mapping[str, Any]
    wanted: int


@dataclass(frozen=True)
class MemoAnswer:
    """What came of one request: a memo, or why there is none. `cost_usd` at the prices of the settings."""

    memo: Mapping[str, Any] | None
    refused_because: str | None
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal


async def want_memos(conn: Connection, *, facts: Mapping[UUID, str]) -> None:
    """Make known profiles known: `{memo id: facts as JSON}`."""
    await conn.execute(SQL["want_memos"], {"ids": list(facts), "facts": list(facts.values())})


async def list_wanted_memos(conn: Connection, *, batch_id: str, max_requests: int, limit: int) -> list[WantedMemo]:
    """Profiles of the batch's cases without a memo, asked for fewer than `max_requests` times so far."""
    values = {"batch_id": batch_id, "max_requests": max_requests, "limit": limit}
    async with conn.cursor(row_factory=class_row(WantedMemo)) as cur:
        await cur.execute(SQL["list_wanted_memos"], values)
        return await cur.fetchall()


async def claim_memo(conn: Connection, *, memo_id: str, lease: timedelta, reserve_usd: Decimal) -> bool:
    """Whether the memo is ours to ask for; for so long nobody else will. `reserve_usd` counts as spent meanwhile."""
    cursor = await conn.execute(SQL["claim_memo"], {"memo_id": memo_id, "lease": lease, "reserve_usd": reserve_usd})
    return await cursor.fetchone() is not None


async def store_memo(conn: Connection, *, memo_id: str, answer: MemoAnswer) -> None:
    """Keep the answer and add up what it cost. A memo that is written already stays."""
    values = {
        "memo_id": memo_id,
        "memo": None if answer.memo is None else Jsonb(dict(answer.memo)),
        "refused_because": answer.refused_because,
        "model": answer.model,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "cost_usd": answer.cost_usd,
    }
    await conn.execute(SQL["store_memo"], values)


async def retry_memo(conn: Connection, *, memo_id: str, spent_usd: Decimal, reserve_usd: Decimal) -> None:
    """Ask once more: `spent_usd` is what the last attempt may have cost, `reserve_usd` what the next may cost."""
    await conn.execute(SQL["retry_memo"], {"memo_id": memo_id, "spent_usd": spent_usd, "reserve_usd": reserve_usd})


async def release_memo(conn: Connection, *, memo_id: str, spent_usd: Decimal) -> None:
    """Give up a claim: the question got no answer, and may have cost so much all the same."""
    await conn.execute(SQL["release_memo"], {"memo_id": memo_id, "spent_usd": spent_usd})


async def read_memo_spending(conn: Connection, *, job_id: str, batch_id: str) -> Decimal:
    """US dollars that the job has spent on its batch so far, or set aside; 0 at its first attempt."""
    row = await (await conn.execute(SQL["read_memo_spending"], {"job_id": job_id, "batch_id": batch_id})).fetchone()
    if row is None:
        raise RuntimeError("a sum gave no row")
    return Decimal(row[0])
