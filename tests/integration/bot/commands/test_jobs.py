"""The commands about jobs and the intake, read as `dragonfly_bot` from a database with planted rows."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.commands.dispatch import run
from bot.types import Actor, Answer, Request, Surface
from bot.views.terminal import answer_text
from bot.world import World
from playbooks.model import Status
from services.clients.postgres.operated import ERROR_LIMIT, list_failed_jobs, list_intake_events, read_heartbeats
from services.domain.errors import Unavailable, UsageError
from services.sandbox.slack.limits import violations

if TYPE_CHECKING:
    from tests.integration.bot.conftest import MakeWorld, System


# ruff: noqa: S608 - the statements are made of this file's own constants


SLACK = Request(surface=Surface.SLASH, actor=Actor("U1", "T1"), channel_id="C1")
JOBS = (
    "INSERT INTO ops.job_queue (job_type, status, error_message, attempts, updated_at, locked_at, locked_by, run_at) "
)
CANARIES = ("Canaria", "98765.43", "canary@example.com", "sk-canary")


def refused(answer: Answer) -> list[object]:
    payload = {"channel": "C0000001", "text": answer.text, "blocks": list(answer.blocks)}
    return list(violations(payload, surface="message", method="chat.update"))


def plant_failures(system: System, count: int, message: str) -> None:
    quoted = message.replace("'", "''")
    system.run(
        JOBS + f"SELECT 'simplicity_ingest', 'failed', replace('{quoted}', '#', n::text), 1 + n % 3,"
        f" now() - n * interval '1 second', NULL, NULL, now() FROM generate_series(1, {count}) n"
    )


async def test_failed_jobs_are_grouped_by_what_went_wrong(world: World, system: System) -> None:
    plant_failures(system, 7, 'duplicate key value violates unique constraint "k"\nDETAIL:  Key (plaintiff)=(Roe #).')
    plant_failures(system, 2, "psycopg.errors.UndefinedTable: relation does not exist")

    answer = await run("failed-jobs", SLACK, world)

    assert answer.private
    assert answer.status is Status.WARN
    assert [fact for fact in ("9 jobs", "60 min", "2 ways") if fact not in answer.text] == []
    assert "*7 of simplicity_ingest*" in answer.blocks[1]["text"]["text"]
    assert "Key (plaintiff)=(…)" in answer.blocks[1]["text"]["text"]
    assert "attempts: 1 to 3" in answer.blocks[1]["text"]["text"]
    assert "*2 of simplicity_ingest* · UndefinedTable" in answer.blocks[2]["text"]["text"]


async def test_no_personal_data_leaves_failed_jobs(world: World, system: System) -> None:
    for canary in CANARIES:
        plant_failures(system, 1, f'invalid value "{canary}" for {canary}: {{"name": "{canary}"}} ({canary})')

    answer = await run("failed-jobs", SLACK, world)

    assert not [canary for canary in CANARIES if canary in json.dumps([answer.text, *answer.blocks]) + str(answer.data)]


async def test_the_whole_error_is_for_the_terminal(world: World, system: System) -> None:
    plant_failures(system, 1, "error " * 150 + "invalid value Canaria")

    answer = await run("failed-jobs --raw", Request(surface=Surface.TERMINAL), world)

    assert "invalid value Canaria" in answer_text(answer)
    with pytest.raises(UsageError, match="terminal only"):
        await run("failed-jobs --raw", SLACK, world)


@pytest.mark.parametrize("message", ["<!channel> <@U1> " * 3000, "`" * 50_000, "#: <http://evil.example|good>" * 99])
async def test_huge_and_hostile_errors_fit_into_a_message(world: World, system: System, message: str) -> None:
    plant_failures(system, 300, message)

    answer = await run("failed-jobs 2d", SLACK, world)

    assert refused(answer) == []
    assert answer.status is Status.FAIL


async def test_only_failures_within_the_window_count(world: World, system: System) -> None:
    system.run(JOBS + "VALUES ('a', 'failed', 'x', 1, now() - interval '2 hours', NULL, NULL, now())")

    assert (await run("failed-jobs", SLACK, world)).status is Status.OK
    assert "1 job failed" in (await run("failed-jobs 3h", SLACK, world)).text


async def test_the_queue_names_orphans_before_what_waits(world: World, system: System) -> None:
    system.beat("ingest-1")
    system.run(
        JOBS + "VALUES ('waits', 'pending', NULL, 0, now(), NULL, NULL, now() - interval '6 min'),"
        " ('runs', 'processing', NULL, 1, now(), now() - interval '2 min', 'ingest-1', now()),"
        " ('orphan', 'processing', NULL, 2, now(), now() - interval '3 min', 'gone', now()),"
        " ('later', 'pending', NULL, 1, now(), NULL, NULL, now() + interval '1 h')"
    )

    answer = await run("queue", SLACK, world)

    table = next(block for block in answer.blocks if block["type"] == "table")
    rows = [[cell["text"] for cell in row][1:4] for row in table["rows"][1:]]
    assert rows == [["3 min", "orphaned", "orphan"], ["6 min", "waiting", "waits"], ["2 min", "running", "runs"]]
    assert answer.status is Status.FAIL
    assert "1 orphaned job" in answer.text


async def test_an_empty_queue_is_fine(world: World) -> None:
    answer = await run("queue", SLACK, world)

    assert answer.status is Status.OK
    assert "no session" in answer_text(answer)


async def test_a_crowded_queue_fits_into_a_message(world: World, system: System) -> None:
    system.run(
        JOBS + "SELECT repeat('<!here>', 300), 'pending', NULL, 0, now(), NULL, NULL, now() - n * interval '1 min'"
        " FROM generate_series(1, 300) n"
    )

    answer = await run("queue", SLACK, world)

    assert refused(answer) == []
    assert "300 waiting" in answer.text


async def test_throughput_counts_what_ended(world: World, system: System) -> None:
    system.run(
        JOBS + "SELECT 'a', CASE WHEN n % 5 = 0 THEN 'failed' ELSE 'completed' END, NULL, 1,"
        " now() - n * interval '1 min', NULL, NULL, now() FROM generate_series(1, 50) n"
    )

    answer = await run("throughput 2h", SLACK, world)

    assert "40 jobs completed, 10 failed" in answer.text
    assert answer.data["throughput"]["row_minutes"] == 2  # type: ignore[index]
    assert refused(answer) == []


async def test_the_intake_shows_batches_and_events_without_their_details(world: World, system: System) -> None:
    system.run(
        "INSERT INTO intake.simplicity_batches (status, file_name, sha256, row_count, validated_count, failed_count)"
        " VALUES ('completed', 'Canaria.csv', repeat('a', 64), 3, 2, 1), ('failed', 'x', repeat('b', 64), 0, 0, 0)"
    )
    system.run("INSERT INTO ops.intake_logs (event_type, details) VALUES ('batch_received', '{\"x\": \"Canaria\"}')")

    answer = await run("intake", SLACK, world)

    shown = answer_text(answer)
    assert "1 of the latest 2 batches failed" in shown
    assert "batch_received" in shown
    assert "Canaria" not in shown + str(answer.data)
    assert refused(answer) == []


async def test_the_intake_shows_how_far_a_batch_is(world: World, system: System) -> None:
    system.run(
        "INSERT INTO intake.simplicity_batches (status, file_name, sha256, row_count, validated_count, failed_count)"
        " VALUES ('processing', 'x', repeat('a', 64), 300, 130, 5)"
    )

    answer = await run("intake", SLACK, world)

    assert "processing, 45 %" in answer_text(answer)
    assert refused(answer) == []


@pytest.mark.parametrize("line", ["failed-jobs", "queue", "throughput", "intake", "home"])
async def test_without_a_database_the_answer_is_unknown_and_never_fine(make_world: MakeWorld, line: str) -> None:
    answer = await run(line, SLACK, make_world(None))

    assert answer.status is Status.UNKNOWN
    assert refused(answer) == []


async def test_the_bare_command_reports_the_state_and_what_serves(world: World, system: System) -> None:
    system.work()

    answer = await run("", SLACK, world)

    assert answer.private
    assert answer.text == "✅ *prod is healthy*"
    assert "ingest `a1b2c3d4`" in json.dumps(answer.blocks)


def plant_batch(system: System, batch_id: str, *errors: str | None) -> None:
    """Store a completed batch with one row per error; None is a row that passed."""
    failed = sum(error is not None for error in errors)
    system.run(
        "INSERT INTO intake.simplicity_batches"
        " (id, status, file_name, sha256, row_count, validated_count, failed_count)"
        f" VALUES ('{batch_id}', 'completed', 'x', repeat('a', 64), {len(errors)}, {len(errors) - failed}, {failed})"
    )
    for number, error in enumerate(errors, start=1):
        status, reported = ("validated", "NULL") if error is None else ("failed", f"'{error}'")
        system.run(
            "INSERT INTO intake.simplicity_raw_rows (batch_id, row_number, status, raw, error)"
            f" VALUES ('{batch_id}', {number}, '{status}', 'Canaria,1', {reported})"
        )


async def test_intake_reports_why_rows_of_a_batch_failed(world: World, system: System) -> None:
    plant_batch(
        system, "0a1b2c3d-0000-4000-8000-000000000001", "County: empty; Plaintiff: empty", "County: empty", None
    )

    answer = await run("intake 0A1B2C3D", SLACK, world)

    assert answer.text.startswith("⚠️ *WARNING* · intake 0a1b2c3d: 1 of 3 rows passed\n")
    assert isinstance(answer.data, dict)
    assert answer.data["faults"] == [{"fault": "County: empty", "rows": 2}, {"fault": "Plaintiff: empty", "rows": 1}]
    assert "Canaria" not in json.dumps(answer.blocks)
    assert not refused(answer)


@pytest.mark.parametrize("word", ["0a1b2c3d", "ffffffff", "nonsense", "0a1", "%"])
async def test_intake_asks_for_one_batch(world: World, system: System, word: str) -> None:
    for number in (1, 2):
        plant_batch(system, f"0a1b2c3d-0000-4000-8000-00000000000{number}", None)

    with pytest.raises(UsageError) as caught:
        await run(f"intake {word}", SLACK, world)

    assert "`intake`" in caught.value.what_next


async def test_intake_reports_why_an_upload_was_refused(world: World, system: System) -> None:
    system.run(
        "INSERT INTO ops.intake_logs (event_type, source_system, details, reason)"
        " VALUES ('upload_refused', 'simplicity', '{}', 'it is a PDF, not a CSV file')"
    )

    answer = await run("intake", SLACK, world)

    assert "it is a PDF, not a CSV file" in answer_text(answer)


async def test_errors_of_any_length_are_cut_in_the_database(world: World, system: System) -> None:
    """40 errors of 4 MB must not be sent over the connection."""
    plant_failures(system, 3, "boom " * 100_000)

    listed = await world.read(list_failed_jobs, window=timedelta(hours=1), limit=500)

    assert not isinstance(listed, Unavailable)
    assert [len(job.error_message or "") for job in listed] == [ERROR_LIMIT] * 3
    assert all((job.error_message or "").endswith("…") for job in listed)
    assert "…" in (await run("failed-jobs", SLACK, world)).blocks[1]["text"]["text"]


async def test_names_of_any_length_are_cut_in_the_database(world: World, system: System) -> None:
    system.run(
        "INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status) "
        "VALUES (repeat('w', 2000), 'ingest_processor', 'running')"
    )
    system.run("INSERT INTO ops.intake_logs (event_type, details) VALUES (repeat('e', 1000000), '{}')")

    beats, events = await world.read(read_heartbeats), await world.read(list_intake_events, limit=20)

    assert not isinstance(beats, Unavailable)
    assert not isinstance(events, Unavailable)
    assert max(len(row.worker_id) for row in beats.rows) == 200
    assert max(len(row.event_type) for row in events) == 200
