"""The queue: findings first, then the jobs behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from bot.commands._contract import Answer, Block
from bot.views.blocks import table
from bot.views.columns import without_equal
from bot.views.findings import as_of as as_of_note
from bot.views.findings import finding_data, findings_answer
from bot.views.moments import since
from playbooks._contract import Finding
from playbooks.queue import JobRow
from services.domain.jobs import LockWait

COLUMNS = ("Job", "For", "State", "Type", "Attempts", "Worker")  # a phone shows the first two or three
EQUAL = ("State", "Type", "Attempts", "Worker")  # left out where every job has the same


def queue_answer(
    findings: Sequence[Finding],
    rows: Sequence[JobRow],
    locks: Sequence[LockWait] | None,
    *,
    as_of: datetime | None,
    is_known: bool = True,
) -> Answer:
    """`as_of` is the database's clock; None when it could not be read, as `locks`. `is_known`: `rows` are all there
    are, as far as they are shown."""
    cells = [
        (row.id[:8], since(row.since, as_of), row.state.value, row.job_type, str(row.attempts), row.worker or "")
        for row in rows
    ]
    data = finding_data("queue", findings) | {
        "as_of": as_of,
        "jobs": [asdict(row) for row in rows] if rows or is_known else None,
        "lock_waits": None if locks is None else [asdict(wait) for wait in locks],
    }
    notes = [as_of_note(as_of)] if as_of else []
    return findings_answer("queue", findings, data=data, notes=notes, extra=_table(cells))


def _table(cells: Sequence[Sequence[str]]) -> list[Block]:
    return table(*without_equal(COLUMNS, cells, EQUAL)) if cells else []
