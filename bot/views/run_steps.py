"""The steps of a run with state and evidence, and the locks after the run."""

from __future__ import annotations

from collections.abc import Sequence

from bot.types import Block
from bot.views.blocks import characters, context, sections
from bot.views.text import escape, mention, plain
from playbooks.steps import FreezeAutoDeploy, LockService
from playbooks.stored_steps import decode_step, describe_stored
from services.domain.runs import Run, RunStep, StepState, note_words, split_note
from services.domain.services import Service
from services.domain.text import age, counted

_FROZEN = "pushes are not deployed"
_OPEN = "the bot does not deploy to it, but a push to main still does"


def locked_services(steps: Sequence[RunStep]) -> list[Service]:
    """The services that the run has locked, in the order of its steps."""
    done = [decode_step(step.step) for step in steps if step.state is StepState.DONE]
    return [step.service for step in done if isinstance(step, LockService)]


def lock_notes(run: Run, steps: Sequence[RunStep]) -> list[Block]:
    """One note per locked service after the run: "api stays locked: pushes are not deployed"."""
    if not run.state.is_final:
        return []
    done = [decode_step(step.step) for step in steps if step.state is StepState.DONE]
    frozen = {step.service for step in done if isinstance(step, FreezeAutoDeploy)}
    notes = [f"🔒 {one.short} stays locked: {_FROZEN if one in frozen else _OPEN}" for one in locked_services(steps)]
    return [context(*notes)] if notes else []


MAX_TASKS = 50  # tasks of one plan block
PLAN_LIMIT = 9000  # our limit: characters of the plan block, so that the message stays below Slack's limit
TITLE_LIMIT, EVIDENCE_LIMIT = 150, 300
PROOFS = ("Verify", "Soak")  # prefixes of the stored names of steps that prove something
MOST_PROOFS = 3  # proofs in the line of a run that is done: the last ones
MAX_LINES = 40  # lines of the list that replaces a too large plan block

_SIGNS = {
    StepState.PENDING: "▫️",
    StepState.INTENDED: "⏳",
    StepState.RUNNING: "⏳",
    StepState.DONE: "✅",
    StepState.NOT_PROVED: "⚠️",
    StepState.FAILED: "🔴",
    StepState.UNKNOWN: "❔",
    StepState.SKIPPED: "▫️",
}
_STATUSES = {
    StepState.PENDING: "pending",
    StepState.INTENDED: "in_progress",
    StepState.RUNNING: "in_progress",
    StepState.DONE: "complete",
    StepState.NOT_PROVED: "error",  # Slack has no warning status, and a green tick would mean done
    StepState.FAILED: "error",
    StepState.UNKNOWN: "error",
    StepState.SKIPPED: "pending",
}
_WORDS = {StepState.NOT_PROVED: "not proved", StepState.UNKNOWN: "outcome unknown"}
_OVER = (StepState.DONE, StepState.NOT_PROVED, StepState.SKIPPED)
# Slack does not document whether it parses a task's title; without angle brackets there is nothing to parse.
_NO_MARKUP = str.maketrans("<>&", "()+")


def are_deleted(run: Run, steps: Sequence[RunStep]) -> bool:
    """True if the run had steps that retention has deleted."""
    return run.started_at is not None and not steps


def deleted_note() -> Block:
    """The note that replaces deleted steps."""
    return context("Step results were deleted: `RUN_STEPS_KEEP_DAYS` sets how long they are kept.")


def progress(run: Run, steps: Sequence[RunStep]) -> list[Block]:
    """All steps in order, as a plan block, or as lines if they are too many."""
    if not steps:
        return []
    block: Block = {"type": "plan", "title": _plain(run.title), "tasks": [_task(run, step) for step in steps]}
    if len(steps) <= MAX_TASKS and characters(block) <= PLAN_LIMIT:
        return [block]
    return step_lines(steps)


def step_lines(steps: Sequence[RunStep]) -> list[Block]:
    """One line per step; if there are too many, steps that went well are only counted."""
    if len(steps) <= MAX_LINES:
        return sections(map(step_line, steps))
    fine = [step for step in steps if step.state is StepState.DONE]
    rest = [step for step in steps if step.state is not StepState.DONE]
    lines = [f"✅ {counted(len(fine), 'step')} done", *map(step_line, rest[:MAX_LINES])]
    return sections([*lines, f"… {len(rest) - MAX_LINES} more"] if len(rest) > MAX_LINES else lines)


def step_line(step: RunStep) -> str:
    """ "✅ 3. Set ingest from 1 to 2 replicas — 12 s", in mrkdwn."""
    words = escape(describe_stored(step.step), limit=TITLE_LIMIT)
    result = _mrkdwn(_result(step))
    return f"{_SIGNS[step.state]} {step.position + 1}. {words}{f' — {result}' if result else ''}"


def done_line(run: Run, steps: Sequence[RunStep]) -> str:
    """ "7 of 7 steps in 3 s · c45e17a9 is SUCCESS · 1 of 1 ingest workers alive", in mrkdwn, of a run that is done."""
    took = f" in {age(run.ended_at - run.started_at)}" if run.started_at and run.ended_at else ""
    proofs = [step for step in steps if str(step.step.get("kind", "")).startswith(PROOFS)] or list(steps[-1:])
    words = dict.fromkeys(filter(None, map(evidence_words, proofs)))
    shown = [_mrkdwn(one) for one in [*words][-MOST_PROOFS:]]
    return " · ".join([f"{steps_done(steps)} of {counted(len(steps), 'step')}{took}", *shown])


def steps_done(steps: Sequence[RunStep]) -> int:
    """Number of steps that are over."""
    return sum(step.state in _OVER for step in steps)


def evidence_words(step: RunStep) -> str:
    """The step's result in plain words: its stored note, else its evidence."""
    if step.note:
        return step.note
    shown = {name: value for name, value in (step.evidence or {}).items() if isinstance(value, str | int | float)}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items())


def _task(run: Run, step: RunStep) -> Block:
    task: Block = {
        "type": "task_card",
        "task_id": f"run-{run.id}-{step.position}",
        "title": _plain(f"{step.position + 1}. {describe_stored(step.step)}"),
        "status": _STATUSES[step.state],
    }
    result = _result(step)
    return task | {"output": _rich(plain(result, limit=EVIDENCE_LIMIT))} if result else task


def _result(step: RunStep) -> str:
    return " · ".join(filter(None, [_word(step), _took(step), evidence_words(step)]))


def _word(step: RunStep) -> str:
    if step.state is StepState.SKIPPED:
        return "stopped" if step.started_at else "skipped"
    is_refused = step.state is StepState.NOT_PROVED and (step.note or "").startswith("not done")
    return "" if is_refused else _WORDS.get(step.state, "")


def _took(step: RunStep) -> str:
    return age(step.ended_at - step.started_at) if step.started_at and step.ended_at else ""


def _plain(text: str) -> str:
    return plain(text, limit=TITLE_LIMIT).translate(_NO_MARKUP)


def _mrkdwn(result: str) -> str:
    return note_words(escape(result, limit=EVIDENCE_LIMIT), mention)


def _rich(text: str) -> Block:
    """Rich text that Slack does not parse, with mentions of the people who decided about the step."""
    pieces = [
        {"type": "user", "user_id": piece} if n % 2 else {"type": "text", "text": piece}
        for n, piece in enumerate(split_note(text))
        if piece
    ]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": pieces}]}
