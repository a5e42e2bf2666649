"""A run's message from request to end, with self-approval and review.

The first line has state and title. While it waits: impact, warnings, undo, and the approvers. While it runs, and if it
failed: every step with its evidence. When it is done: the number of steps and their proofs; *Details* lists them.
Buttons are shown only while they can be used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bot.types import Block
from bot.views.blocks import (
    TOTAL_LIMIT,
    actions,
    characters,
    command_menu,
    context,
    fit_message,
    section,
    sections,
    shorten_ids,
)
from bot.views.golden_path import mission_blocks
from bot.views.plan import LINE_LIMIT, STEP_LIMIT, plan_lines
from bot.views.promotion import promoted_note
from bot.views.run_buttons import buttons, done_menu, self_approve, veto
from bot.views.run_buttons import review as review_button
from bot.views.run_steps import are_deleted, deleted_note, done_line, lock_notes, progress, steps_done
from bot.views.text import code, date_token, escape, mention, person, with_short_ids
from playbooks.golden_path import NAME as GOLDEN_PATH
from playbooks.model import Risk
from playbooks.stored_steps import describe_stored
from services.domain.runs import (
    IN_DOUBT,
    UNDECIDED,
    Decision,
    Record,
    Review,
    Run,
    RunState,
    RunStep,
    SelfApproval,
    StepState,
)
from services.domain.text import age, counted


def self_approval_blocks(run: Run, self_approval: SelfApproval | None) -> list[Block]:
    """The time limit for the approvers, the offer of self-approval, or the countdown with *Veto*."""
    if self_approval is None or run.state is not RunState.AWAITING_APPROVAL:
        return []
    who, where = person(run.requested_by), f"incident {self_approval.incident_id}"
    if self_approval.starts_at is not None:
        why = escape(self_approval.reason or "", limit=LINE_LIMIT)
        starts = (
            f"⏳ *No approver responded: {who} self-approves it* at "
            f"{date_token(self_approval.starts_at, '{time_secs}')}: {why}"
        )
        return [section(starts, accessory=veto(run))]
    if self_approval.offered_at is not None:
        return [section(f"No approver responded in {where}: {who} can self-approve it.", accessory=self_approve(run))]
    until = date_token(self_approval.open_at, "{time_secs}")
    return [context(f"{where}: the approvers were paged; if none responds by {until}, {who} can self-approve it")]


def unapproved_blocks(record: Record, approvers: Sequence[str]) -> list[Block]:
    """Public notice of a run without approval, with its review or the request for one; empty for other runs."""
    run, review, self_approval = record.run, record.review, record.self_approval
    if run.risk != Risk.BREAK_GLASS and review is None:
        return []
    word, why = (
        ("Break-glass", run.reason)
        if run.risk == Risk.BREAK_GLASS
        else ("Self-approved", self_approval.reason if self_approval else None)
    )
    done = f"🚨 *{word}* by {person(run.requested_by)}{f': {escape(why, limit=LINE_LIMIT)}' if why else ''}"
    if review is not None and not review.is_open:
        return [section(f"{done}\n{review_line(review)}")]
    who = " ".join(map(mention, approvers)) or "an approver"
    can_be_closed = review is not None and run.state.is_final
    return [section(f"{done}\n*Waiting for review by* {who}", accessory=review_button(run) if can_be_closed else None)]


def review_line(review: Review) -> str:
    """ "Reviewed by @ann 14:05: the amounts were wrong, fixed in e4f5a6b"."""
    if review.reviewed_at is None:
        return f"Not reviewed yet: {person(review.acted_by)} acted without an approval"
    note = escape(review.note or "", limit=LINE_LIMIT)
    return f"Reviewed by {person(review.reviewed_by)} {date_token(review.reviewed_at, '{time}')}: {note}"


SIGNS = {
    RunState.PLANNED: "🟡 *WAITING FOR CONFIRMATION*",
    RunState.AWAITING_APPROVAL: "🟡 *WAITING FOR APPROVAL*",
    RunState.APPROVED: "🔵 *APPROVED*",
    RunState.RUNNING: "🔵 *RUNNING*",
    RunState.SUCCEEDED: "✅ *DONE*",
    RunState.FAILED: "🔴 *FAILED*",
    RunState.CANCELLED: "⚫ *CANCELLED*",
    RunState.EXPIRED: "⚫ *EXPIRED*",
    RunState.VOIDED: "⚫ *VOID*",
    RunState.UNKNOWN: "❔ *UNKNOWN, needs a decision*",
}
SCHEDULED = "🗓️ *SCHEDULED*"
DENIED = "⛔ *DENIED*"
NOT_PROVED = "⚠️ *DONE, NOT PROVED*"
ROOM = TOTAL_LIMIT - LINE_LIMIT - 300  # characters, without the first line and the notes on omissions
SHOWN_STEPS = 5  # steps of a waiting plan; *Details* has all
SHOWN_DECISIONS = 5


class Content(NamedTuple):
    """A message: the fallback text, complete by itself, and the blocks."""

    text: str
    blocks: list[Block]


def run_message(record: Record, *, approvers: Sequence[str] = (), audit_head: str | None = None) -> Content:
    """The message for the run's current state.

    approvers: Slack ids of the users and user groups that may approve, from the policy; mentioned while the run waits,
    and if it ran without approval. audit_head: the audit log's newest hash, shown in the final message.
    """
    run, steps = record.run, record.steps
    first = headline(run, steps)
    middle = _request(record, approvers) if run.state in UNDECIDED else _under_way(record, approvers)
    end = [
        *actions(buttons(run, steps)),
        *_decided(record.decisions),  # below the buttons, so that a decision moves none
        *self_approval_blocks(run, record.self_approval),
        context(*_notes(run, audit_head, is_folded=_is_folded(run, steps))),
    ]
    blocks = [section(first, accessory=_menu(run, steps)), *_shortened(middle, end), *end]
    text, blocks = fit_message(_fallback(first, run), blocks)
    return Content(with_short_ids(text), shorten_ids(blocks))


def sign(run: Run) -> str:
    """The state as a sign and a word. Only a run that is done and proved is green."""
    if run.was_denied:
        return DENIED
    if run.is_scheduled and run.start_at is not None:
        return f"{SCHEDULED} for {date_token(run.start_at)}"
    return NOT_PROVED if run.is_in_doubt else SIGNS[run.state]


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
    steps = [describe_stored(step) for step in plan.get("steps", ())]
    shown = _numbered(steps)
    return [
        *sections(plan_lines(plan.get("impact", ()), plan.get("warnings", ()), plan.get("undo"))),
        *([context("\n".join(shown))] if shown else []),  # small, because the decision depends on the impact
        section("\n".join(_who(run, approvers))),
    ]


def _menu(run: Run, steps: Sequence[RunStep]) -> Block | None:
    """The menu beside the first line of a run that is done; None for other runs."""
    if run.state is not RunState.SUCCEEDED:
        return None
    return command_menu([("Details", f"run {run.id}"), *done_menu(run, steps)])


def _under_way(record: Record, approvers: Sequence[str]) -> list[Block]:
    run, steps = record.run, record.steps
    is_named_below = run.was_denied and any(not one.approve for one in record.decisions)  # below: who, and why
    outcome = [escape(_outcome(run), limit=2 * LINE_LIMIT)] if run.outcome and not is_named_below else []
    notes, unapproved = lock_notes(run, steps), unapproved_blocks(record, approvers)
    if _is_folded(run, steps):
        return [*unapproved, *sections([*outcome, done_line(run, steps)]), *notes]
    return [*unapproved, *sections(outcome), *notes, *_steps(run, steps)]


def _is_folded(run: Run, steps: Sequence[RunStep]) -> bool:
    """True if the steps are only summarized: the run is done and every step is proved."""
    if run.state is not RunState.SUCCEEDED or not steps or run.playbook == GOLDEN_PATH:
        return False
    return not run.is_in_doubt and all(step.state is StepState.DONE for step in steps)


def _steps(run: Run, steps: Sequence[RunStep]) -> list[Block]:
    if are_deleted(run, steps):
        return [deleted_note()]
    if run.state.is_final and not any(step.started_at for step in steps):
        return [context("No step was started.")]
    return mission_blocks(run, steps) if run.playbook == GOLDEN_PATH else progress(run, steps)


def _reason(run: Run) -> str:
    return f": {escape(run.reason, limit=LINE_LIMIT)}" if run.reason else ""


def _numbered(steps: Sequence[str]) -> list[str]:
    """The numbered steps; only their number if there are many, because the message must fit a phone."""
    if len(steps) > SHOWN_STEPS:
        return [f"{counted(len(steps), 'step')}, listed in *Details*"]
    return [f"{n}. {escape(words, limit=STEP_LIMIT)}" for n, words in enumerate(steps, start=1)]


def _who(run: Run, approvers: Sequence[str]) -> list[str]:
    asked = (
        f"*Requested by* {person(run.requested_by)}{_reason(run)} · *expires* {date_token(run.expires_at, '{time}')}"
    )
    starts = [f"*Starts* {date_token(run.start_at)}, if nothing has changed by then"] if run.start_at else []
    if run.state is RunState.PLANNED:
        return [asked, f"{person(run.requested_by)} confirms it.", *starts]
    count = "" if run.approvals_needed < 2 else f" ({run.approvals_needed} approvals needed)"
    who = " ".join(map(mention, approvers)) or "an approver"
    if not run.pages_approvers:
        who = f"not mentioned again, because earlier requests by {person(run.requested_by)} were unanswered"
    return [asked, f"*Approvers:* {who}{count}", *starts]


def _shortened(middle: Sequence[Block], end: Sequence[Block]) -> list[Block]:
    """Cut the middle so that the end fits, because buttons must never be left out."""
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


def _notes(run: Run, audit_head: str | None, *, is_folded: bool) -> list[str]:
    notes = [f"run {run.id}", *promoted_note(run.parameters)]
    if run.state not in UNDECIDED:  # while it waits, the requester is shown above
        notes.append(f"requested by {person(run.requested_by)} {_at(run.created_at)}{_reason(run)}")
    if run.state.is_final and run.ended_at:
        notes += [f"ended {_at(run.ended_at)}"]
        notes += [f"took {age(run.ended_at - run.started_at)}"] if run.started_at and not is_folded else []
    if audit_head and run.state.is_final:
        notes.append(f"audit {code(audit_head[:12])}")
    return [" · ".join(notes)]


def _fallback(first: str, run: Run) -> str:
    return f"{first}: {escape(_outcome(run), limit=LINE_LIMIT)}" if run.outcome else first


def _outcome(run: Run) -> str:
    """The outcome without the prefix that the sign already shows."""
    return (run.outcome or "").removeprefix(f"{IN_DOUBT}: ")


def _at(moment: datetime) -> str:
    return date_token(moment, "{time}")
