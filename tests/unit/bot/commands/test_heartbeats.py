"""The answer of `heartbeats`, with its table of workers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.commands.heartbeats import heartbeats_answer
from bot.types import Answer
from playbooks import heartbeats
from playbooks.checks.heartbeats import Facts
from playbooks.model import Status
from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat
from services.domain.services import WorkerType
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits
from services.sandbox.slack.limits import violations

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
LIMIT = timedelta(seconds=300)
BUSY = Heartbeat(
    "ingest-abc123",
    "ingest_processor",
    "running",
    NOW - timedelta(seconds=8),
    NOW,
    "a1b2c3d4e5f6",
    "8d1bfe22-1234",
    NOW - timedelta(minutes=3),
)


def answer(*beats: Heartbeat, ingest: int = 1) -> Answer:
    return _answer(
        Facts(NOW, beats, {WorkerType.INGEST: ingest, WorkerType.ENFORCEMENT: 0}, StaleLimits(LIMIT), system=RUNBOOK)
    )


def _answer(facts: Facts) -> Answer:
    found, rows = heartbeats.check(facts), heartbeats.list_workers(facts)
    return heartbeats_answer(found, rows, moment=NOW, stale_after=StaleLimits(LIMIT), stopped=2, system=RUNBOOK)


def cells(answer: Answer) -> list[list[str]]:
    [table] = [block for block in answer.blocks if block["type"] == "table"]
    return [[cell["text"] for cell in row] for row in table["rows"]]


def test_a_worker_is_reported_with_job_and_commit() -> None:
    assert cells(answer(BUSY)) == [
        ["State", "Last beat", "Worker", "Job", "SHA"],
        ["✅ alive", "8 s ago", "ingest-abc123", "8d1bfe22 for 3 min", "a1b2c3d4"],
    ]


def test_type_and_status_have_a_column_where_workers_differ() -> None:
    starting = replace(BUSY, worker_id="ingest-new", status="starting")
    other = replace(BUSY, worker_id="enforcement-1", worker_type="enforcement_engine")

    assert cells(answer(BUSY, starting, ingest=2))[0] == ["State", "Last beat", "Worker", "Status", "Job", "SHA"]
    assert cells(answer(BUSY, other))[0] == ["State", "Last beat", "Type", "Worker", "Job", "SHA"]


def test_a_missing_worker_has_a_row_above_the_others() -> None:
    rows = cells(answer(BUSY, ingest=2))

    assert [row[0] for row in rows[1:]] == ["🔴 missing", "✅ alive"]


def test_the_fallback_reports_findings_and_workers() -> None:
    text = answer(BUSY).text

    assert text.splitlines()[0] == "✅ *ingest 1 of 1 alive* — last beat 8 s ago"
    assert "ingest-abc123" in text


def test_three_hundred_workers_fit_and_the_rest_is_counted() -> None:
    many = [replace(BUSY, worker_id=f"ingest-{n:06}", status="error") for n in range(300)]

    found = answer(*many, ingest=300)

    assert not violations({"text": found.text, "blocks": list(found.blocks)}, surface="message")
    assert len(cells(found)) <= 100
    assert "more rows" in str(found.blocks)
    data: Any = found.data
    assert len(data["workers"]) == 300


def test_hostile_names_do_no_harm() -> None:
    hostile = replace(BUSY, worker_id="<!channel> `*" + "x" * 50_000, git_sha="<@U1>", current_job_id="\x1b[2J" * 99)

    found = answer(hostile)

    assert not violations({"text": found.text, "blocks": list(found.blocks)}, surface="message")
    assert "<!channel>" not in found.text


def test_without_a_database_there_is_no_table() -> None:
    found = _answer(Facts(NOW, Unavailable("database", "connection refused"), {}, StaleLimits(LIMIT), system=RUNBOOK))

    assert found.status is Status.UNKNOWN
    assert "connection refused" in found.text
    assert all(block["type"] != "table" for block in found.blocks)
