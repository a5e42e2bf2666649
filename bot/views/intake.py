"""The intake: findings, the latest batches as a table, the latest events as lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from bot.commands._contract import Answer, Block
from bot.views.blocks import context, preformatted, table
from bot.views.columns import align
from bot.views.findings import finding_data, findings_answer
from bot.views.moments import clock, since
from bot.views.text import cut, plain
from playbooks._contract import Finding
from services.domain.intake import Batch, IntakeEvent

COLUMNS = ("Batch", "Status", "Source", "Uploaded", "Rows", "Validated", "Failed")
WORD_LIMIT = 60  # characters of an event's type and source
EVENTS_LIMIT = 2500  # characters of all events


def intake_answer(
    findings: Sequence[Finding], batches: Sequence[Batch], events: Sequence[IntakeEvent], *, now: datetime
) -> Answer:
    """Batches and events, the newest first."""
    data = finding_data("intake", findings) | {
        "batches": [asdict(batch) for batch in batches],
        "events": [asdict(event) for event in events],
    }
    extra = [*_batches(batches, now), *_events(events)]
    return findings_answer("intake", findings, data=data, extra=extra)


def _batches(batches: Sequence[Batch], now: datetime) -> list[Block]:
    cells = [
        (
            batch.id,
            f"{batch.status}, {batch.judged_percent} %" if batch.status == "processing" else batch.status,
            batch.source_system,
            f"{since(batch.created_at, now)} ago",
            str(batch.row_count),
            str(batch.validated),
            str(batch.failed),
        )
        for batch in batches
    ]
    return table(COLUMNS, cells) if cells else []


def _events(events: Sequence[IntakeEvent]) -> list[Block]:
    rows = [
        (
            clock(event.created_at),
            plain(event.event_type, limit=WORD_LIMIT),
            plain(event.source_system, limit=WORD_LIMIT),
        )
        for event in events
    ]
    if not rows:
        return []
    return [context("Latest events, in UTC"), preformatted(cut(align(rows), EVENTS_LIMIT))]
