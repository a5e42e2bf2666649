"""What is done with the rows of each kind of file, by its `source_system`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from services.domain import payments, simplicity
from services.domain.csv_file import CsvFile
from services.domain.judgments import ENFORCEMENT_JOB_TYPE, REVIEW_JOB_TYPE
from services.ingest_worker.decide import CONFLICT
from services.ingest_worker.page import Page, judged_pages, payment_pages
from services.postgres.ingest import (
    copy_judgments,
    create_staging,
    fill_in_consumer_debt,
    insert_judgments,
    lock_judgments,
    refuse_conflicts,
    replace_judgments,
)
from services.postgres.payments import copy_payments, create_payment_staging, insert_payments, refuse_payments
from services.postgres.pool import Connection


class Pages(Protocol):
    def __call__(self, file: CsvFile, batch_id: str, *, judged: int, today: date) -> Iterator[Page]: ...


@dataclass(frozen=True)
class Kind:
    """`store(conn, batch id, records)` stores a page; `next_job_type` is queued for the batch when all are stored."""

    pages: Pages
    store: Callable[[Connection, str, Sequence[bytes]], Awaitable[None]]
    next_job_type: str


async def _store_judgments(conn: Connection, batch_id: str, records: Sequence[bytes]) -> None:
    """Nearly every case of nearly every file is new, so the dearer statements run only where one is not."""
    await create_staging(conn)
    staged = await copy_judgments(conn, blocks=records)
    await lock_judgments(conn)
    if await insert_judgments(conn, batch_id=batch_id) < staged:
        await replace_judgments(conn, batch_id=batch_id)
        await fill_in_consumer_debt(conn, batch_id=batch_id)
        await refuse_conflicts(conn, batch_id=batch_id, rule=CONFLICT)


async def _store_payments(conn: Connection, batch_id: str, records: Sequence[bytes]) -> None:
    """The rows are stored as good ones by now: those whose case is not known are refused afterwards, and kept."""
    await create_payment_staging(conn)
    await copy_payments(conn, blocks=records)
    await insert_payments(conn)
    await refuse_payments(conn, batch_id=batch_id)


KINDS: Mapping[str, Kind] = {
    simplicity.SOURCE_SYSTEM: Kind(judged_pages, _store_judgments, ENFORCEMENT_JOB_TYPE),
    payments.SOURCE_SYSTEM: Kind(payment_pages, _store_payments, REVIEW_JOB_TYPE),
}
