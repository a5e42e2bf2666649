"""Assessments of judgments, and memos.

Typed calls of `sql/queries/enforcement.sql`, `sql/queries/memos.sql`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all, fetch_row

BEFORE_ALL = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class EnforcedBatch:
    """A batch before it is enforced. A golden-path batch is never enforced.

    `today` is the date in New York by the database's clock.
    """

    today: date
    is_golden_path: bool


@dataclass(frozen=True)
class ReviewState:
    """The result of the check for due assessments, by the database's clock.

    `today`: the date in New York; `hour`: the hour in UTC as text (`2025-12-20T14`).
    """

    today: date
    hour: str
    is_due: bool


@dataclass(frozen=True)
class FiledJudgment:
    """The facts of a judgment that an assessment needs, without names. `amount` in US dollars.

    `taken_in_on` is a date in New York. `is_consumer_debt` is None while unknown. `paid_on[i]` is the date of
    `paid_amounts[i]`.
    """

    id: str
    amount: Decimal
    county: str
    filing_date: date
    taken_in_on: date
    is_consumer_debt: bool | None
    paid_on: Sequence[date]
    paid_amounts: Sequence[Decimal]


async def read_enforced_batch(conn: Connection, *, batch_id: str) -> EnforcedBatch:
    """Return what must be known before the batch is enforced; a batch that does not exist is like an empty one."""
    return await fetch_row(conn, EnforcedBatch, "read_enforced_batch", batch_id=batch_id)


async def list_judgments(
    conn: Connection, *, batch_id: str, after: str = BEFORE_ALL, limit: int = 2000
) -> list[FiledJudgment]:
    """List the next page of the batch's judgments, after the id `after`."""
    return await fetch_all(conn, FiledJudgment, "list_judgments", batch_id=batch_id, after=after, limit=limit)


async def hold_payments(conn: Connection) -> None:
    """Let no payment be stored until the transaction ends; stored payments are visible from here on."""
    await conn.execute(SQL["hold_payments"])


async def read_review_state(conn: Connection) -> ReviewState:
    """Return whether an assessment is due, with the date and hour of the check."""
    return await fetch_row(conn, ReviewState, "read_review_state")


async def list_due_judgments(conn: Connection, *, today: date, limit: int = 2000) -> list[FiledJudgment]:
    """List judgments whose assessment is due, the longest due first; storing an assessment takes them off the list."""
    return await fetch_all(conn, FiledJudgment, "list_due_judgments", today=today, limit=limit)


async def create_assessment_staging(conn: Connection) -> None:
    """Create the staging table for assessments. It lives as long as the transaction."""
    await conn.execute(SQL["create_assessment_staging"])


async def copy_assessments(conn: Connection, *, lines: bytes) -> None:
    """Stage assessments in COPY's text format, in the column order of the staging table, one per judgment."""
    async with conn.cursor() as cur, cur.copy(SQL["copy_assessments"]) as copy:
        await copy.write(lines)


async def upsert_assessments(conn: Connection) -> None:
    """Store the staged assessments. Their memos must exist."""
    await conn.execute(SQL["upsert_assessments"])


async def upsert_next_steps(conn: Connection) -> None:
    """Store the staged next steps."""
    await conn.execute(SQL["upsert_next_steps"])


@dataclass(frozen=True)
class WantedMemo:
    """A profile without a memo; `facts` is `{fact: word}`. `wanted`: how many such profiles the batch has."""

    id: str
    facts: Mapping[str, Any]
    wanted: int


@dataclass(frozen=True)
class MemoAnswer:
    """The result of one request: a memo, or the reason why there is none. `cost_usd` at the configured prices."""

    memo: Mapping[str, Any] | None
    refused_because: str | None
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal


async def want_memos(conn: Connection, *, facts: Mapping[UUID, str]) -> None:
    """Store these profiles unless they are stored already: `{memo id: facts as JSON}`."""
    await conn.execute(SQL["want_memos"], {"ids": list(facts), "facts": list(facts.values())})


async def list_wanted_memos(conn: Connection, *, batch_id: str, max_requests: int, limit: int) -> list[WantedMemo]:
    """List the batch's profiles without a memo that were requested fewer than `max_requests` times so far."""
    values = {"batch_id": batch_id, "max_requests": max_requests, "limit": limit}
    return await fetch_all(conn, WantedMemo, "list_wanted_memos", **values)


async def claim_memo(conn: Connection, *, memo_id: str, lease: timedelta, reserve_usd: Decimal) -> bool:
    """Claim the memo for `lease`, during which no other worker requests it. True if this worker may request it.

    `reserve_usd` counts as spent meanwhile.
    """
    cursor = await conn.execute(SQL["claim_memo"], {"memo_id": memo_id, "lease": lease, "reserve_usd": reserve_usd})
    return await cursor.fetchone() is not None


async def store_memo(conn: Connection, *, memo_id: str, answer: MemoAnswer) -> None:
    """Store the answer and add its cost. A memo that is already written stays."""
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
    """Record another attempt: `spent_usd` is what the last one may have cost, `reserve_usd` the most the next may."""
    await conn.execute(SQL["retry_memo"], {"memo_id": memo_id, "spent_usd": spent_usd, "reserve_usd": reserve_usd})


async def release_memo(conn: Connection, *, memo_id: str, spent_usd: Decimal) -> None:
    """Give up the claim: the request got no answer, and may have cost `spent_usd` nevertheless."""
    await conn.execute(SQL["release_memo"], {"memo_id": memo_id, "spent_usd": spent_usd})


async def read_memo_spending(conn: Connection, *, job_id: str, batch_id: str) -> Decimal:
    """US dollars that the job has spent or reserved for its batch so far; 0 at its first attempt."""
    row = await (await conn.execute(SQL["read_memo_spending"], {"job_id": job_id, "batch_id": batch_id})).fetchone()
    if row is None:
        raise RuntimeError("a sum gave no row")
    return Decimal(row[0])
