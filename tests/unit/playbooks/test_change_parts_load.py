"""The lines about a change's load: unknown is never shown as nothing."""

from __future__ import annotations

from dataclasses import replace

from playbooks.change_parts import backlog, doubts, stopping
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.unit.playbooks.builders import beat, load, running_job

AWAY = Unavailable("database", "no answer within 5 s")
BUSY = load(
    beats=[beat("ingest-1"), beat("ingest-2"), beat("ingest-dead", age_s=301)],
    running=[running_job(n, "ingest-1") for n in range(6)] + [running_job(9, "ingest-dead", age_s=900)],
    pending=318,
)


def test_counts_living_workers_and_what_they_hold() -> None:
    assert stopping(BUSY, RUNBOOK.workers) == [
        "stops 2 workers holding 6 jobs, oldest since 11:59 UTC; 318 pending",
        "running jobs: " + ", ".join(f"job-{n} (simplicity_ingest)" for n in range(5)) + " and 1 more",
    ]


def test_running_jobs_are_named_by_the_start_of_their_ids_which_many_people_read() -> None:
    job = replace(running_job(1, "ingest-1"), id="3fa85f64-5717-4562-b3fc-2c963f66afa6")

    assert stopping(replace(BUSY, running=[job]), RUNBOOK.workers)[1] == "running jobs: 3fa85f64 (simplicity_ingest)"


def test_the_api_holds_no_jobs() -> None:
    assert stopping(BUSY, [Service.API]) == []


def test_load_lines_say_unknown_when_facts_are_unreadable() -> None:
    for blind in (replace(BUSY, beats=AWAY), replace(BUSY, queue=AWAY)):
        [line] = stopping(blind, RUNBOOK.workers)
        assert "unknown number" in line
    assert stopping(replace(BUSY, running=AWAY), RUNBOOK.workers) == [
        "stops 2 workers, their jobs are unknown; 318 pending"
    ]
    assert backlog(replace(BUSY, queue=AWAY)) == []
    [doubt] = doubts(replace(BUSY, queue=AWAY, running=AWAY))
    assert doubt.endswith(f": {AWAY.why}")


def test_stopping_says_that_no_worker_is_alive_without_heartbeats() -> None:
    assert stopping(replace(BUSY, beats=[]), RUNBOOK.workers) == ["no ingest or enforcement worker is alive"]


def test_hidden_rows_are_a_doubt() -> None:
    assert "row-level security may hide" in doubts(replace(BUSY, all_visible=False))[0]
