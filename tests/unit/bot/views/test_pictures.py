"""Charts of block characters: they show the recorded values, and a gap where a value is unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.views.history import history_answer
from bot.views.pictures import CELLS, LABEL, Series, bars, chart, labeled, marks, strip
from bot.views.terminal import answer_text
from services.domain.history import DATABASE, History, HistoryStep, UsageStep, WorkerState, WorkerStep
from services.domain.services import Service
from services.domain.systems import CIVIL, RUNBOOK
from services.sandbox.slack.limits import violations

SINCE = datetime(2026, 11, 29, 12, tzinfo=UTC)
STEP = timedelta(hours=1)
BEATS = tuple(WorkerStep(SINCE + n * STEP, "ingest-1", "ingest_processor", WorkerState.ALIVE) for n in (0, 5))
USE = (UsageStep(SINCE, "dragonfly-worker-ingest", 0.25, 0.5, 0.1, 1.0, None, 0.0021, None),)
PHONE = 38  # characters of a fixed-width box at 390 px


def step(cell: int, pending: int | None = None, api_ms: float | None = None) -> HistoryStep:
    return HistoryStep(SINCE + cell * STEP, pending, None, None, api_ms, None, None)


def history(*steps: HistoryStep, workers: tuple[WorkerStep, ...] = (), usage: tuple[UsageStep, ...] = ()) -> History:
    return History(SINCE, STEP, CELLS, steps, workers, usage, [SINCE + 3 * STEP])


def test_bars_begin_at_zero_and_leave_the_unknown_open() -> None:
    assert bars([0, None, 5, 10]) == "▁·▅█"
    assert bars([0, 0]) == "▁▁"
    assert bars([None, None]) == "··"
    assert bars([1], top=2) == "▅"
    assert bars([3], top=2) == "█"  # above its limit


def test_strip_and_marks_have_one_character_per_cell() -> None:
    assert strip([0, 1, 2, 3, None, 9]) == "_▆!x··"
    assert marks([0, 2], 4) == "▼ ▼"


def test_series_says_in_words_what_it_draws() -> None:
    def show(value: float) -> str:
        return f"{value:g} jobs"

    queue, hours = Series("q", "Queue", [3, None, 1], show), timedelta(hours=30)
    assert queue.words(STEP) == "Queue: min 1 jobs · max 3 jobs · last 60 min: max 1 jobs"
    assert replace(queue, of="mean").words(STEP) == "Queue: min 1 jobs · max 3 jobs · last 60 min: mean 1 jobs"
    assert queue.words(hours) == "Queue: min 1 jobs · max 3 jobs · last 30 h: max 1 jobs"
    assert Series("q", "Queue", [3, None], show).words(STEP) == "Queue: min 3 jobs · max 3 jobs · last 60 min: unknown"
    assert Series("q", "Queue", [None], show).words(STEP) == "Queue: unknown"


def test_rows_fit_a_phone() -> None:
    assert len(labeled("x" * 40, "█" * CELLS)) == LABEL + 1 + CELLS <= PHONE


def test_history_shows_gaps_and_never_zero_for_what_was_not_recorded() -> None:
    found = history(step(0, 0, 12.0), step(23, 7), workers=BEATS, usage=USE)

    for system in (RUNBOOK, CIVIL):
        answer = history_answer(found, environment="prod", system=system, service=None)
        text = answer_text(answer)

        assert "queue       ▁" + "·" * 22 + "█" in text
        assert "deploys        ▼" in text
        assert "Queue: min 0 jobs · max 7 jobs · last 60 min: max 7 jobs" in text
        assert "API latency: min 12 ms · max 12 ms · last 60 min: unknown" in text
        assert "completed per minute: unknown" in text
        assert "ingest st-1 ▆····▆" in text
        assert f"mem ingest  ▅{'·' * 23}" in text
        assert "Memory of ingest (limit 0.50 GB): min 0.25 GB" in text
        assert not violations({"text": answer.text, "blocks": list(answer.blocks)}, surface="message")
        assert isinstance(answer.data, dict)
        assert answer.data["series"]["Queue"] == [0, *[None] * 22, 7]


def test_history_of_one_service_has_its_workers_and_its_use_only() -> None:
    workers = (
        WorkerStep(SINCE, "ingest-1", "ingest_processor", WorkerState.STALE),
        WorkerStep(SINCE, "enforcement-1", "enforcement_engine", WorkerState.ALIVE),
    )
    usage = tuple(
        UsageStep(SINCE, service.value, 0.2, None, 0.5, None, None, None, None) for service in RUNBOOK.services
    )

    answer = history_answer(
        history(step(0, 1), workers=workers, usage=usage), environment=None, system=RUNBOOK, service=Service.INGEST
    )

    assert "*CPU of ingest:* min 0.50 vCPU" in answer.text
    assert "stale 100%" in answer.text
    assert "enforc" not in answer.text
    assert "Queue" not in answer.text


def test_history_without_records_says_so() -> None:
    answer = history_answer(history(), environment="prod", system=RUNBOOK, service=None)

    assert "Nothing was recorded" in answer_text(answer)


def test_chart_begins_after_the_last_unknown_stretch_and_is_what_slack_takes() -> None:
    def series(name: str, values: list[float | None]) -> Series:
        return Series("x", name, values, str)

    known = series("completed", [*[1.0] * 23, 2.256])
    gap = series("failed", [*[0.0] * 10, None, None, *[0.0] * 12])

    [block] = chart("Jobs per minute", [known, gap], since=SINCE, step=STEP)

    assert block["title"] == "Jobs per minute from 00:00 UTC"
    assert block["chart"]["axis_config"]["categories"][:2] == ["00:00", "02:00"]
    assert block["chart"]["series"][0]["data"][-1] == {"label": "10:00", "value": 2.26}
    assert not violations({"text": "x", "blocks": [block]}, surface="message")
    assert chart("Jobs", [series("x", [*[1.0] * 19, None, *[1.0] * 4])], since=SINCE, step=STEP) == []  # two points
    [week] = chart("Jobs", [known], since=SINCE, step=timedelta(hours=7))
    assert len(set(week["chart"]["axis_config"]["categories"])) == 12


def test_local_slack_refuses_a_chart_as_slack_does() -> None:
    def refused(**chart: object) -> set[str]:
        block = {"type": "data_visualization", "title": "x", "chart": chart}
        return {one.rule for one in violations({"text": "x", "blocks": [block]}, surface="message")}

    point, axis = {"label": "a", "value": 1}, {"categories": ["a"]}
    line = {"name": "n", "data": [point]}

    assert refused(type="line", series=[line], axis_config=axis) == set()
    assert refused(type="radar", series=[line], axis_config=axis) == {"unknown_type"}
    assert refused(type="line", series=[line]) == {"required"}
    assert refused(type="line", series=[line, line], axis_config=axis) == {"duplicate"}
    assert refused(type="line", series=[line], axis_config={"categories": ["a", "b"]}) == {"categories"}
    assert refused(type="line", series=[{**line, "name": "n" * 21}], axis_config=axis) == {"too_long"}
    assert refused(type="line", series=[{"name": "n", "data": [{**point, "value": None}]}], axis_config=axis) == {
        "required"
    }
    assert refused(type="line", series=[line] * 7, axis_config=axis) >= {"too_many"}


def test_history_draws_the_newest_and_failing_workers_and_counts_the_others() -> None:
    steps = [WorkerStep(SINCE + n * STEP, f"ingest-{n:04}", "ingest_processor", WorkerState.ALIVE) for n in range(20)]
    steps += [WorkerStep(SINCE, "ingest-bad", "ingest_processor", WorkerState.STALE)]

    words = history_answer(
        history(workers=tuple(steps)), environment="prod", system=RUNBOOK, service=Service.INGEST
    ).text

    assert words.count("*Worker ") == 8
    assert all(f"ingest {n:04}" in words for n in (19, 18, 17, 16))
    assert "*Worker ingest -bad:* stale 100%" in words
    assert "*13 other workers:* alive 100%" in words


def test_the_network_of_one_service_is_drawn_where_it_is_known() -> None:
    words = history_answer(history(usage=USE), environment="prod", system=RUNBOOK, service=Service.INGEST).text

    assert "*Received by ingest per minute:* min 2.1 MB" in words
    assert "Sent by ingest" not in words


def test_history_draws_the_databases_usage_where_it_is_known() -> None:
    usage = (UsageStep(SINCE, DATABASE, 3.0, 4.0, 0.75, None, 2.5, None, None),)

    words = history_answer(history(usage=usage), environment="prod", system=RUNBOOK, service=None).text

    assert "*Memory of the database (of 4.00 GB):* min 3.00 GB" in words
    assert "*Load of the database:* min 0.75" in words
    assert "*Disk of the database:* min 2.50 GB" in words
