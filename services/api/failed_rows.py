"""The rows of a batch that are no judgments, as a CSV file that is never whole in memory."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence

from services.postgres.pool import Database
from services.postgres.uploads import FailedRow, list_failed_rows

HEADINGS = ("row_number", "column", "reason")
PAGE_ROWS = 5000


async def first_failed_rows(database: Database, batch_id: str) -> list[FailedRow]:
    """The first page. Read before the answer begins, so that a failing database is still told with its status."""
    return await _page(database, batch_id, after=0)


async def failed_rows_csv(database: Database, batch_id: str, page: Sequence[FailedRow]) -> AsyncIterator[bytes]:
    """`page` and all that follow it: one line a fault, `row_number` 1 being the first line below the header.

    Raises SourceError in the middle when the database fails: the connection breaks, and the file is seen to be short.
    """
    yield _as_csv([HEADINGS])
    while page:
        yield _as_csv(fault for row in page for fault in faults_of(row))
        page = await _page(database, batch_id, after=page[-1].row_number)


def faults_of(row: FailedRow) -> list[tuple[int, str, str]]:
    """`(row number, column, reason)`; the column is empty when the line as a whole is at fault."""
    clauses = (clause.rpartition(": ") for clause in row.error.split("; "))
    return [(row.row_number, column, reason) for column, _, reason in clauses]


async def _page(database: Database, batch_id: str, *, after: int) -> list[FailedRow]:
    async with database.read() as conn:
        return await list_failed_rows(conn, batch_id=batch_id, after=after, limit=PAGE_ROWS)


def _as_csv(lines: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()
