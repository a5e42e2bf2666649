"""The intake: findings, the latest batches as a table, the latest events as lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from bot.commands._contract import Answer, Block
from bot.views.blocks import context, preformatted, table
from bot.views.columns import align, without_equal
from bot.views.findings import finding_data, findings_answer
from bot.views.moments import clock, since
from bot.views.text import cut, plain
from playbooks._contract import Finding
from services.domain.intake import Batch, IntakeEvent, RowFault

COLUMNS = (
    "Batch",
    "Failed",
    "Uploaded",
    "Rows",
    "Validated",
    "Status",
    "Source",
)  # a phone shows the first two or three
EQUAL = ("Source",)  # left out where every batch has the same
FAULT_COLUMNS = ("Rows", "Column", "Why")
WORD_LIMIT = 60  # characters of an event's type and source
FAULT_LIMIT = 200
HOW_TO_SEE_FAULTS = "Why rows failed: `intake <batch>`"
HOW_TO_SEE_ROWS = "Which rows: `GET /api/v1/intake/batches/<id>/failed-rows` of the API, with its key"
EVENTS_LIMIT = 2500  # characters of all events


def intake_answer(
    findings: Sequence[Finding],
    batches: Sequence[Batch] | None,
    events: Sequence[IntakeEvent] | None,
    *,
    now: datetime,
) -> Answer:
    """Batches and events, the newest first; None for what could not be read."""
    data = finding_data("intake", findings) | {
        "batches": None if batches is None else [asdict(batch) for batch in batches],
        "events": None if events is None else [asdict(event) for event in events],
    }
    extra = [*_batches(batches or (), now), *_events(events or ())]
    return findings_answer("intake", findings, data=data, extra=extra)


def batch_answer(batch: Batch, findings: Sequence[Finding], faults: Sequence[RowFault] | None) -> Answer:
    """One upload: what became of it, and why rows did not pass, the most frequent reason first; None: not known."""
    listed = None if faults is None else [asdict(fault) for fault in faults]
    data = finding_data("intake", findings) | {"batch": asdict(batch), "faults": listed}
    return findings_answer(f"intake {batch.id[:8]}", findings, data=data, extra=_faults(faults or ()))


def _faults(faults: Sequence[RowFault]) -> list[Block]:
    cells = []
    for fault in faults:
        column, _, rule = fault.fault.rpartition(": ")
        cells.append((str(fault.rows), column or "-", plain(rule, limit=FAULT_LIMIT)))
    return [*table(FAULT_COLUMNS, cells), context(HOW_TO_SEE_ROWS)] if cells else []


def _batches(batches: Sequence[Batch], now: datetime) -> list[Block]:
    cells = [
        (
            batch.id[:8],
            str(batch.failed),
            f"{since(batch.created_at, now)} ago",
            str(batch.row_count),
            str(batch.validated),
            f"{batch.status}, {batch.judged_percent} %" if batch.status == "processing" else batch.status,
            batch.source_system,
        )
        for batch in batches
    ]
    return [*table(*without_equal(COLUMNS, cells, EQUAL)), context(HOW_TO_SEE_FAULTS)] if cells else []


def _events(events: Sequence[IntakeEvent]) -> list[Block]:
    rows = [
        (
            clock(event.created_at),
            plain(event.event_type, limit=WORD_LIMIT),
            plain(event.source_system, limit=WORD_LIMIT),
            plain(event.reason or "", limit=WORD_LIMIT),
        )
        for event in events
    ]
    if not rows:
        return []
    return [context("Latest events, in UTC"), preformatted(cut(align(rows), EVENTS_LIMIT))]
