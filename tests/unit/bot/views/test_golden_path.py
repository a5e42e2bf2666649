"""The golden path's mission report: the runbook's lines with their milliseconds, for every outcome of the run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.views.golden_path import log_lines, mission_blocks, report_lines
from bot.views.run import run_message
from bot.views.terminal import block_text
from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.steps import (
    AwaitSample,
    CheckIngestBeats,
    RemoveSample,
    Step,
    UploadSample,
    VerifyApiHealth,
    VerifySampleData,
    VerifySampleRows,
)
from playbooks.stored_steps import encode_step
from services.domain.runs import Record, Run, RunState, RunStep, StepState
from services.sandbox.slack.limits import violations
from tests.unit.bot.views.test_run import a_run

START = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
STEPS: tuple[Step, ...] = (VerifyApiHealth(30), UploadSample("c"), AwaitSample(300), VerifySampleRows(1))
ALL: tuple[Step, ...] = (CheckIngestBeats(), *STEPS, VerifySampleData(1), RemoveSample(None))
NOTES = ("API alive", "batch_id = abc-123-def", "Batch completed", "Row counts valid")
TIMES_MS = ((0, 150), (160, 800), (810, 15000), (15010, 15500))
PLAN = Plan("prod", "golden-path", {}, ALL, Risk.HIGH, "Golden path")


def at(ms: int) -> datetime:
    return START + timedelta(milliseconds=ms)


def mission(state: RunState) -> Run:
    return a_run(state, PLAN, started_at=START)


def ended(step: Step, note: str, times_ms: tuple[int, int], state: StepState = StepState.DONE) -> RunStep:
    return RunStep(12, 0, encode_step(step), state, None, None, note, at(times_ms[0]), at(times_ms[1]))


def waiting(step: Step, state: StepState = StepState.PENDING, **changes: object) -> RunStep:
    return replace(RunStep(12, 0, encode_step(step), state, None, None, None, None, None), **changes)  # type: ignore[arg-type]


RUNBOOK = [ended(*one) for one in zip(STEPS, NOTES, TIMES_MS, strict=True)]


def test_the_lines_are_the_runbook_s() -> None:
    assert list(log_lines(mission(RunState.SUCCEEDED), RUNBOOK)) == [
        "[000000ms] [RUNNING] Health Check",
        "[000150ms] [PASS] Health Check: API alive",
        "[000160ms] [RUNNING] CSV Upload",
        "[000800ms] [PASS] CSV Upload: batch_id = abc-123-def",
        "[000810ms] [RUNNING] Ingest Poll",
        "[015000ms] [PASS] Ingest Poll: Batch completed",
        "[015010ms] [RUNNING] Snapshot",
        "[015500ms] [PASS] Snapshot: Row counts valid",
    ]


def test_the_report_is_laid_out_as_the_runbook_s() -> None:
    assert "\n".join(report_lines(mission(RunState.SUCCEEDED), RUNBOOK)) == (
        "════════════════════════════════════\n"
        "           MISSION REPORT\n"
        "════════════════════════════════════\n"
        "✅ Health Check     PASS       150ms\n"
        "✅ CSV Upload       PASS       640ms\n"
        "✅ Ingest Poll      PASS     14190ms\n"
        "✅ Snapshot         PASS       490ms\n"
        "────────────────────────────────────\n"
        "OVERALL: PASS         Total: 15500ms\n"
        "════════════════════════════════════"
    )


@pytest.mark.parametrize(
    ("state", "step", "overall"),
    [
        (RunState.FAILED, StepState.FAILED, "FAIL"),
        (RunState.CANCELLED, StepState.SKIPPED, "CANCELLED"),
        (RunState.SUCCEEDED, StepState.NOT_PROVED, "UNPROVED"),
    ],
)
def test_a_failed_step_is_not_shown_as_a_pass(state: RunState, step: StepState, overall: str) -> None:
    steps = [*RUNBOOK[:2], ended(STEPS[2], "the batch failed", TIMES_MS[2], step), waiting(STEPS[3], StepState.SKIPPED)]

    report = "\n".join(report_lines(mission(state), steps))

    assert f"OVERALL: {overall}" in report
    assert report.count("PASS") == 2
    assert "the batch failed" in "\n".join(log_lines(mission(state), steps))


def test_the_step_under_way_is_the_last_line() -> None:
    reported = [*RUNBOOK[:2], waiting(STEPS[2], StepState.RUNNING, note="the batch is processing"), waiting(STEPS[3])]
    begun = [*RUNBOOK[:2], waiting(STEPS[2]), waiting(STEPS[3])]

    assert list(log_lines(mission(RunState.RUNNING), reported))[-1] == (
        "[000800ms] [RUNNING] Ingest Poll: the batch is processing"
    )
    assert list(log_lines(mission(RunState.RUNNING), begun))[-1] == "[000800ms] [RUNNING] Ingest Poll"
    assert "MISSION REPORT" not in "".join(map(block_text, mission_blocks(mission(RunState.RUNNING), reported)))


@pytest.mark.parametrize("state", list(RunState))
def test_the_message_fits_in_every_state_and_names_each_step(state: RunState) -> None:
    hostile = "<!channel> ``` " + "y" * 5000
    steps = [ended(step, hostile, (10 * n, 10 * n + 5)) for n, step in enumerate(ALL)]

    message = run_message(Record(mission(state), steps))

    assert violations({"text": message.text, "blocks": message.blocks}, surface="message") == []
    names = [line.split("]")[2].partition(":")[0].strip() for line in log_lines(mission(state), steps)]
    assert "Step" not in names
