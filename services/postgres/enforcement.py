"""What to do next about judgments. The typed calls of `sql/queries/enforcement.sql`."""

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
class FiledJudgment:
    """What the decision needs of a judgment: no names. `amount` in US dollars; `taken_in_on` is a day in UTC."""

    id: str
    amount: Decimal
    filing_date: date
    taken_in_on: date


@dataclass(frozen=True)
class StoredStep:
    """The next step of one judgment."""

    judgment_id: str
    kind: str
    due_on: date
    reason: str


async def list_judgments(
    conn: Connection, *, batch_id: str, after: str = BEFORE_ALL, limit: int = 2000
) -> list[FiledJudgment]:
    """The next page of a batch's judgments, after the given id."""
    async with conn.cursor(row_factory=class_row(FiledJudgment)) as cur:
        await cur.execute(SQL["list_judgments"], {"batch_id": batch_id, "after": after, "limit": limit})
        return await cur.fetchall()


async def upsert_next_steps(conn: Connection, *, steps: Sequence[StoredStep]) -> None:
    """Store the steps; one that says the same already is left untouched. A judgment may occur once."""
    values = {
        "judgment_ids": [step.judgment_id for step in steps],
        "kinds": [step.kind for step in steps],
        "due_ons": [step.due_on for step in steps],
        "reasons": [step.reason for step in steps],
    }
    await conn.execute(SQL["upsert_next_steps"], values)
