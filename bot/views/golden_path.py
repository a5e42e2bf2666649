"""The golden path's steps as the runbook prints them: a log line per change, and the mission report at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from bot.types import Block
from bot.views.blocks import preformatted
from bot.views.run_steps import evidence_words
from bot.views.text import plain
from playbooks.stored_steps import kind_of
from services.domain.runs import Run, RunState, RunStep, StepState, note_words

_RESULTS = {
    StepState.DONE: ("✅", "PASS"),
    StepState.NOT_PROVED: ("⚠️", "UNPROVED"),
    StepState.FAILED: ("❌", "FAIL"),
    StepState.UNKNOWN: ("❔", "UNKNOWN"),
    StepState.SKIPPED: ("⚪", "SKIPPED"),
}
_OVERALL = {RunState.FAILED: "FAIL", RunState.CANCELLED: "CANCELLED", RunState.UNKNOWN: "UNKNOWN"}
WIDTH = 36  # the runbook's 71 characters would wrap on a phone
NOTE_LIMIT = 300


def mission_blocks(run: Run, steps: Sequence[RunStep]) -> list[Block]:
    """The log so far; after the end of the run, with the report above it."""
    log = "\n".join(log_lines(run, steps))
    report = [preformatted("\n".join(report_lines(run, steps)))] if run.state.is_final else []
    return [*report, *([preformatted(log)] if log else [])]


def log_lines(run: Run, steps: Sequence[RunStep]) -> Iterator[str]:
    """ "[000150ms] [PASS] Health Check: the API is healthy"; times since the run's start."""
    start = last = _start(run, steps)
    if start is None or last is None:
        return
    for step in steps:
        if step.ended_at and step.started_at:
            yield _line(step.started_at - start, "RUNNING", step)
            yield _line(step.ended_at - start, _RESULTS[step.state][1], step, _note(step))
            last = step.ended_at
        elif run.state is RunState.RUNNING:
            yield _line((step.started_at or last) - start, "RUNNING", step, _note(step))
            return


def report_lines(run: Run, steps: Sequence[RunStep]) -> Iterator[str]:
    """The mission report: one line per step with its milliseconds, then the total from first to last step."""
    yield "═" * WIDTH
    yield "MISSION REPORT".center(WIDTH).rstrip()
    yield "═" * WIDTH
    for step in steps:
        sign, word = _RESULTS.get(step.state, ("▫️", step.state.value.upper()))
        yield f"{sign} {_name(step):<17}{word:<8}{_took(step):>8}"
    yield "─" * WIDTH
    yield f"OVERALL: {_overall(run, steps):<9}{f'Total: {_total(run, steps)}':>18}"
    yield "═" * WIDTH


def _line(since: timedelta, word: str, step: RunStep, note: str = "") -> str:
    return f"[{_ms(since):06d}ms] [{word}] {_name(step)}{note}"


def _overall(run: Run, steps: Sequence[RunStep]) -> str:
    if run.state is not RunState.SUCCEEDED:
        return _OVERALL.get(run.state, run.state.value.upper())
    return "UNPROVED" if any(step.state is StepState.NOT_PROVED for step in steps) else "PASS"


def _total(run: Run, steps: Sequence[RunStep]) -> str:
    start, ends = _start(run, steps), [step.ended_at for step in steps if step.ended_at and step.started_at]
    return f"{_ms(max(ends) - start)}ms" if start and ends else "—"


def _took(step: RunStep) -> str:
    return f"{_ms(step.ended_at - step.started_at)}ms" if step.started_at and step.ended_at else "—"


def _start(run: Run, steps: Sequence[RunStep]) -> datetime | None:
    return min((step.started_at for step in steps if step.started_at), default=run.started_at)


def _name(step: RunStep) -> str:
    kind = kind_of(step.step)
    return kind.report_name if kind else "Step"


def _note(step: RunStep) -> str:
    words = plain(note_words(evidence_words(step)), limit=NOTE_LIMIT)
    return f": {words}" if words else ""


def _ms(span: timedelta) -> int:
    return max(round(span.total_seconds() * 1000), 0)
