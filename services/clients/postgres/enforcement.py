"""Assessments and memos.

The typed calls of `sql/queries/enforcement.sql`, `sql/queries/memos.sql`.
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
    """`today` is the day by New York's calendar and the database's clock. A golden-path batch is never enforced."""

    today: date
    is_golden_path: bool


@dataclass(frozen=True)
class ReviewState:
    """`today` by New York's calendar, `hour` (UTC, `2025-12-20T14`) as text, both by the database's clock."""

    today: date
    hour: str
    is_due: bool


@dataclass(frozen=True)
class FiledJudgment:
    """What the reckoning needs of a judgment: no names. `amount` in US dollars; `taken_in_on` by New York's calendar.

    `is_consumer_debt` is None while unknown. `paid_on[i]` is the day of `paid_amounts[i]`.
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
    """What is to be known before a batch is enforced; one that does not exist is like an empty one."""
    return await fetch_row(conn, EnforcedBatch, "read_enforced_batch", batch_id=batch_id)


async def list_judgments(
    conn: Connection, *, batch_id: str, after: str = BEFORE_ALL, limit: int = 2000
) -> list[FiledJudgment]:
    """The next page of a batch's judgments, after the given id."""
    return await fetch_all(conn, FiledJudgment, "list_judgments", batch_id=batch_id, after=after, limit=limit)


async def hold_payments(conn: Connection) -> None:
    """Let no payment be stored until the transaction ends; what is stored is seen from here on."""
    await conn.execute(SQL["hold_payments"])


async def read_review_state(conn: Connection) -> ReviewState:
    """Whether anything is due, and when it is."""
    return await fetch_row(conn, ReviewState, "read_review_state")


async def list_due_judgments(conn: Connection, *, today: date, limit: int = 2000) -> list[FiledJudgment]:
    """Judgments whose assessment is due, the longest due first; storing an assessment takes them off the list."""
    return await fetch_all(conn, FiledJudgment, "list_due_judgments", today=today, limit=limit)


async def create_assessment_staging(conn: Connection) -> None:
    """Make the table for assessments that are on their way. It lives as long as the transaction."""
    await conn.execute(SQL["create_assessment_staging"])


async def copy_assessments(conn: Connection, *, lines: bytes) -> None:
    """Stage assessments in COPY's text format, in the order of the staging table's columns; a judgment occurs once."""
    async with conn.cursor() as cur, cur.copy(SQL["copy_assessments"]) as copy:
        await copy.write(lines)


async def upsert_assessments(conn: Connection) -> None:
    """Store the assessments that were staged. Their memos exist."""
    await conn.execute(SQL["upsert_assessments"])


async def upsert_next_steps(conn: Connection) -> None:
    """Store the next steps that were staged."""
    await conn.execute(SQL["upsert_next_steps"])


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
    return await fetch_all(conn, WantedMemo, "list_wanted_memos", **values)


async def claim_memo(conn: Connection, *, memo_id: str, lease: timedelta, reserve_usd: Decimal) -> bool:
    """Whether this worker may request the memo; other workers don't during that time. `reserve_usd` counts as spent
    meanwhile."""
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
