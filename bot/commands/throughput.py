"""`throughput [window]`: completed and failed jobs per minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.commands.arguments import parse_window
from bot.types import Answer, Request
from bot.views.blocks import clock, table
from bot.views.findings import finding_data, findings_answer
from playbooks.model import Finding
from playbooks.throughput import Throughput, check, summarise
from services.clients.postgres.operated import list_throughput
from services.domain.errors import Unavailable
from services.domain.text import age

if TYPE_CHECKING:
    from bot.world import World


def throughput_answer(findings: Sequence[Finding], throughput: Throughput | None, window: timedelta) -> Answer:
    """`throughput`: None if it could not be read; the findings give the reason."""
    title = f"throughput of the last {age(window)}"
    data = finding_data(title, findings) | {"throughput": asdict(throughput) if throughput else None}
    if throughput is None or not throughput.rows:
        return findings_answer(title, findings, data=data)
    length = throughput.row_minutes
    columns = ("Minute (UTC)" if length == 1 else f"{length} minutes from (UTC)", "Completed", "Failed")
    cells = [(clock(row.minute), str(row.completed), str(row.failed)) for row in throughput.rows]
    notes = ["intervals without jobs are left out"]
    return findings_answer(title, findings, data=data, notes=notes, extra=table(columns, cells))


async def answer_throughput(request: Request, world: World) -> Answer:
    window = parse_window(request.words, default=timedelta(minutes=10), largest=timedelta(days=7))
    minutes = await world.read(list_throughput, window=window)
    if isinstance(minutes, Unavailable):
        return throughput_answer(check(minutes), None, window)
    throughput = summarise(minutes, window)
    return throughput_answer(check(throughput), throughput, window)
