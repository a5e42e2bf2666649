"""`intake [batch]`: the latest batches and intake events, or the reasons why rows of one batch failed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from bot.commands.arguments import no_more, wrong_word
from bot.types import Answer, Block, Request
from bot.views.blocks import align, clock, context, preformatted, since, table, without_equal
from bot.views.findings import finding_data, findings_answer, unavailable_answer
from bot.views.text import cut, plain
from playbooks.intake import Facts, check, check_batch
from playbooks.model import Finding
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres.operated import find_batches, list_batches, list_intake_events, list_row_faults
from services.domain.batches import Batch, IntakeEvent, RowFault
from services.domain.errors import Unavailable

if TYPE_CHECKING:
    from bot.world import World


COLUMNS = (
    "Batch",
    "Failed",
    "Uploaded",
    "Rows",
    "Validated",
    "Status",
    "Source",
)  # a phone shows the first 2 or 3
EQUAL = ("Source",)  # left out if all batches have the same value
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
    """Batches and events, newest first; None if they could not be read."""
    data = finding_data("intake", findings) | {
        "batches": None if batches is None else [asdict(batch) for batch in batches],
        "events": None if events is None else [asdict(event) for event in events],
    }
    extra = [*_batches(batches or (), now), *_events(events or ())]
    return findings_answer("intake", findings, data=data, extra=extra)


def batch_answer(
    batch: Batch, findings: Sequence[Finding], faults: Sequence[RowFault] | None, *, lists_rows: bool = True
) -> Answer:
    """One upload and its faults, most frequent first; `faults`: None if unknown.

    `lists_rows`: the system's API can list the failed rows.
    """
    listed = None if faults is None else [asdict(fault) for fault in faults]
    data = finding_data("intake", findings) | {"batch": asdict(batch), "faults": listed}
    extra = _faults(faults or (), lists_rows=lists_rows)
    return findings_answer(f"intake {batch.id[:8]}", findings, data=data, extra=extra)


def _faults(faults: Sequence[RowFault], *, lists_rows: bool) -> list[Block]:
    cells = []
    for fault in faults:
        column, _, rule = fault.fault.rpartition(": ")
        cells.append((str(fault.rows), column or "-", plain(rule, limit=FAULT_LIMIT)))
    how = [context(HOW_TO_SEE_ROWS)] if lists_rows else []
    return [*table(FAULT_COLUMNS, cells), *how] if cells else []


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
    """Events, newest first; consecutive equal events become one line."""
    texts = [
        (
            plain(event.event_type, limit=WORD_LIMIT),
            plain(event.source_system, limit=WORD_LIMIT),
            plain(event.reason or "", limit=WORD_LIMIT),
        )
        for event in events
    ]
    rows = []
    for words, group in groupby(zip(texts, events, strict=True), key=lambda pair: pair[0]):
        same = [event for _, event in group]
        kind = f"{words[0]} \N{MULTIPLICATION SIGN} {len(same)}" if len(same) > 1 else words[0]
        rows.append((clock(same[0].created_at), kind, *words[1:]))
    if not rows:
        return []
    return [context("Latest events, in UTC"), preformatted(cut(align(rows), EVENTS_LIMIT))]


BATCH = re.compile(r"[0-9a-f]{4,32}")


async def answer_intake(request: Request, world: World) -> Answer:
    no_more(request.words, 1)
    if request.words:
        return await _answer_batch(request.words[0], world)
    async with asyncio.TaskGroup() as reads:
        health = reads.create_task(world.ask_api(DragonflyApi.read_intake_health))
        batches = reads.create_task(world.read(list_batches, limit=10))
        events = reads.create_task(world.read(list_intake_events, limit=20))
    facts = Facts(health.result(), batches.result(), events.result(), datetime.now(UTC), system=world.system)
    shown_batches = None if isinstance(facts.batches, Unavailable) else facts.batches
    shown_events = None if isinstance(facts.events, Unavailable) else facts.events
    return intake_answer(check(facts), shown_batches, shown_events, now=datetime.now(UTC))


async def _answer_batch(word: str, world: World) -> Answer:
    found = await world.read(find_batches, beginning=_parse_batch(word))
    if isinstance(found, Unavailable):
        return unavailable_answer("intake", found)
    if len(found) != 1:
        why = "more than one batch begins with it" if found else "no batch begins with it"
        raise wrong_word(word, f"is not one batch: {why}", "Use an id from `intake`.")
    faults = await world.read(list_row_faults, batch_id=found[0].id, limit=20)
    return batch_answer(
        found[0],
        check_batch(found[0], faults, now=datetime.now(UTC), system=world.system),
        None if isinstance(faults, Unavailable) else faults,
        lists_rows=world.system.is_migrated,
    )


def _parse_batch(word: str) -> str:
    """Parse the prefix of a batch's id, as hexadecimal digits. Raises UsageError."""
    digits = word.lower().replace("-", "")
    if not BATCH.fullmatch(digits):
        raise wrong_word(word, "is not a batch", "Use an id from `intake`; its first 8 characters are enough.")
    return digits
