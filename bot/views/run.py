"""One message for each run, kept true from the request to the end.

The first line is the answer: what it is and how it stands. While it waits: what would happen, to how much, and who may
decide. While it runs and afterwards: every step with its evidence. Buttons are there as long as they can be used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bot.commands._contract import Block
from bot.views.blocks import actions, context, section, sections
from bot.views.golden_path import mission_blocks
from bot.views.locks import lock_notes
from bot.views.mentions import mention, person
from bot.views.message import TOTAL_LIMIT, characters, fit_message, shorten_ids
from bot.views.outcome import is_proved
from bot.views.plan import LINE_LIMIT, STEP_LIMIT, plan_lines
from bot.views.run_buttons import buttons
from bot.views.run_steps import are_deleted, deleted_note, progress, steps_done
from bot.views.steps import stored_step_words
from bot.views.text import code, date_token, escape, with_short_ids
from bot.views.unapproved import lone_start_blocks, unapproved_blocks
from playbooks.golden_path import NAME as GOLDEN_PATH
from services.domain.approvals import Decision
from services.domain.records import Record
from services.domain.runs import UNDECIDED, Run, RunState, RunStep, StepState
from services.domain.words import age, counted

SIGNS = {
    RunState.PLANNED: "🟡 *WAITS FOR CONFIRMATION*",
    RunState.AWAITING_APPROVAL: "🟡 *WAITS FOR APPROVAL*",
    RunState.APPROVED: "🔵 *APPROVED*",
    RunState.RUNNING: "🔵 *RUNNING*",
    RunState.SUCCEEDED: "✅ *DONE*",
    RunState.FAILED: "🔴 *FAILED*",
    RunState.CANCELLED: "⚫ *CANCELLED*",
    RunState.EXPIRED: "⚫ *EXPIRED*",
    RunState.VOIDED: "⚫ *VOID*",
    RunState.UNKNOWN: "❔ *UNKNOWN, a person has to look*",
}
DENIED = "⛔ *DENIED*"
NOT_PROVED = "⚠️ *DONE, NOT PROVED*"
ROOM = TOTAL_LIMIT - LINE_LIMIT - 300  # characters, beside the first line and the notes on what was left out
SHOWN_STEPS = 8  # of a plan that waits; Details has them all
SHOWN_DECISIONS = 5


class Content(NamedTuple):
    """What a message says: the fallback text, which makes sense by itself, and the blocks."""

    text: str
    blocks: list[Block]


def run_message(record: Record, *, approvers: Sequence[str] = (), audit_head: str | None = None) -> Content:
    """The run as it stands.

    approvers: Slack ids of the users and user groups that may approve, from our own settings; they are mentioned while
    the run waits, and in what was done without asking them. audit_head: the audit log's newest hash, which the closing
    message prints.
    """
    run, steps = record.run, record.steps
    first = headline(run, steps)
    middle = _request(record, approvers) if run.state in UNDECIDED else _under_way(record, approvers)
    end = [*_decided(record.decisions), *actions(buttons(run, steps)), context(*_notes(run, audit_head))]
    text, blocks = fit_message(_fallback(first, run), [section(first), *_shortened(middle, end), *end])
    return Content(with_short_ids(text), shorten_ids(blocks))


def sign(run: Run) -> str:
    """How it stands, in a sign and a word. What was not done, or not proved, is never green."""
    if run.was_denied:
        return DENIED
    return NOT_PROVED if run.state is RunState.SUCCEEDED and not is_proved(run.outcome) else SIGNS[run.state]


def headline(run: Run, steps: Sequence[RunStep]) -> str:
    """ "🔵 *RUNNING* 3 of 9 · dev · *Scale ingest: 1 → 2*", in mrkdwn."""
    return f"{_sign(run, steps)} · {escape(run.environment)} · *{escape(run.title, limit=LINE_LIMIT)}*"


def decision_line(decision: Decision) -> str:
    """ "Denied by @ann, 14:05: not during the import"."""
    word = "Approved" if decision.approve else "Denied"
    reason = f": {escape(decision.reason, limit=LINE_LIMIT)}" if decision.reason else ""
    return f"{word} by {person(decision.person)} {_at(decision.decided_at)}{reason}"


def _sign(run: Run, steps: Sequence[RunStep]) -> str:
    match run.state:
        case RunState.RUNNING:
            stopping = ", stopping" if run.cancel_requested_by else ""
            return f"{SIGNS[run.state]}{stopping} {steps_done(steps)} of {len(steps)}"
        case RunState.SUCCEEDED if any(step.state is StepState.NOT_PROVED for step in steps):
            return NOT_PROVED
        case _:
            return sign(run)


def _request(record: Record, approvers: Sequence[str]) -> list[Block]:
    run = record.run
    plan = run.plan
    return [
        *sections(plan_lines(plan.get("impact", ()), plan.get("warnings", ()), plan.get("undo"))),
        *sections(_numbered([stored_step_words(step) for step in plan.get("steps", ())])),
        section("\n".join(_who(run, approvers))),
        *lone_start_blocks(run, record.lone),
    ]


def _under_way(record: Record, approvers: Sequence[str]) -> list[Block]:
    run = record.run
    outcome = [section(escape(run.outcome, limit=2 * LINE_LIMIT))] if run.outcome else []
    return [
        *unapproved_blocks(record, approvers),
        *outcome,
        *lock_notes(run, record.steps),
        *_steps(run, record.steps),
    ]


def _steps(run: Run, steps: Sequence[RunStep]) -> list[Block]:
    if are_deleted(run, steps):
        return [deleted_note()]
    if run.state.is_final and not any(step.started_at for step in steps):
        return [context("Nothing of it was begun.")]
    return mission_blocks(run, steps) if run.playbook == GOLDEN_PATH else progress(run, steps)


def _reason(run: Run) -> str:
    return f": {escape(run.reason, limit=LINE_LIMIT)}" if run.reason else ""


def _numbered(steps: Sequence[str]) -> list[str]:
    shown = [f"{n}. {escape(words, limit=STEP_LIMIT)}" for n, words in enumerate(steps[:SHOWN_STEPS], start=1)]
    left = len(steps) - len(shown)
    return [*shown, f"… {counted(left, 'more step')} in Details"] if left else shown


def _who(run: Run, approvers: Sequence[str]) -> list[str]:
    asked = f"*Asked for by* {person(run.requested_by)}{_reason(run)}"
    until = f"*Until* {date_token(run.expires_at)}"
    if run.state is RunState.PLANNED:
        return [asked, f"{person(run.requested_by)} confirms it.", until]
    count = "" if run.approvals_needed < 2 else f" ({run.approvals_needed} people)"
    who = " ".join(map(mention, approvers)) or "an approver"
    return [asked, f"*May approve:* {who}{count}, not the one who asked", until]


def _shortened(middle: Sequence[Block], end: Sequence[Block]) -> list[Block]:
    """As much of the middle as leaves room for the end: the buttons are never what is left out."""
    room = ROOM - characters(list(end))
    kept: list[Block] = []
    for block in middle:
        room -= characters(block)
        if room < 0:
            return [*kept, context(f"… {counted(len(middle) - len(kept), 'more part')} in Details")]
        kept.append(block)
    return kept


def _decided(decisions: Sequence[Decision]) -> list[Block]:
    return [context(*map(decision_line, decisions[:SHOWN_DECISIONS]))] if decisions else []


def _notes(run: Run, audit_head: str | None) -> list[str]:
    notes = [f"run {run.id}"]
    if run.state not in UNDECIDED:  # while it waits this is said above
        notes.append(f"asked for by {person(run.requested_by)} {_at(run.created_at)}{_reason(run)}")
    if run.state.is_final and run.ended_at:
        notes += [f"ended {_at(run.ended_at)}"]
        notes += [f"took {age(run.ended_at - run.started_at)}"] if run.started_at else []
    if audit_head and run.state.is_final:
        notes.append(f"audit {code(audit_head[:12])}")
    return [" · ".join(notes)]


def _fallback(first: str, run: Run) -> str:
    return f"{first}: {escape(run.outcome, limit=LINE_LIMIT)}" if run.outcome else first


def _at(moment: datetime) -> str:
    return date_token(moment, "{time}")
