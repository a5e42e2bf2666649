"""What is reckoned about judgments. The typed calls of `sql/queries/enforcement.sql`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from psycopg.rows import class_row

from services.postgres.pool import Connection
from services.postgres.queries import SQL

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

    `is_consumer_debt` is None while nobody has said. `paid_on[i]` is the day of `paid_amounts[i]`.
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
    async with conn.cursor(row_factory=class_row(EnforcedBatch)) as cur:
        await cur.execute(SQL["read_enforced_batch"], {"batch_id": batch_id})
        batch = await cur.fetchone()
    if batch is None:
        raise RuntimeError("a SELECT of two scalars gave no row")
    return batch


async def list_judgments(
    conn: Connection, *, batch_id: str, after: str = BEFORE_ALL, limit: int = 2000
) -> list[FiledJudgment]:
    """The next page of a batch's judgments, after the given id."""
    async with conn.cursor(row_factory=class_row(FiledJudgment)) as cur:
        await cur.execute(SQL["list_judgments"], {"batch_id": batch_id, "after": after, "limit": limit})
        return await cur.fetchall()


async def hold_payments(conn: Connection) -> None:
    """Let no payment be stored until the transaction ends; what is stored is seen from here on."""
    await conn.execute(SQL["hold_payments"])


async def read_review_state(conn: Connection) -> ReviewState:
    """Whether anything is due, and when it is."""
    async with conn.cursor(row_factory=class_row(ReviewState)) as cur:
        await cur.execute(SQL["read_review_state"])
        state = await cur.fetchone()
    if state is None:
        raise RuntimeError("a SELECT without a table gave no row")
    return state


async def list_due_judgments(conn: Connection, *, today: date, limit: int = 2000) -> list[FiledJudgment]:
    """Judgments whose assessments are to be made anew, the longest due first; storing these takes them off the list."""
    async with conn.cursor(row_factory=class_row(FiledJudgment)) as cur:
        await cur.execute(SQL["list_due_judgments"], {"today": today, "limit": limit})
        return await cur.fetchall()


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
