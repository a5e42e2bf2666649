"""Throughput: the totals first, then a row for each stretch of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from bot.commands._contract import Answer
from bot.views.blocks import table
from bot.views.findings import finding_data, findings_answer
from bot.views.moments import clock
from playbooks._contract import Finding
from playbooks.throughput import Throughput
from services.domain.words import age


def throughput_answer(findings: Sequence[Finding], throughput: Throughput | None, window: timedelta) -> Answer:
    """`throughput` is None when it could not be read; the findings say why."""
    title = f"throughput of the last {age(window)}"
    data = finding_data(title, findings) | {"throughput": asdict(throughput) if throughput else None}
    if throughput is None or not throughput.rows:
        return findings_answer(title, findings, data=data)
    length = throughput.row_minutes
    columns = ("Minute (UTC)" if length == 1 else f"{length} minutes from (UTC)", "Completed", "Failed")
    cells = [(clock(row.minute), str(row.completed), str(row.failed)) for row in throughput.rows]
    notes = ["stretches in which no jobs ran are left out"]
    return findings_answer(title, findings, data=data, notes=notes, extra=table(columns, cells))
