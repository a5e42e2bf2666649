"""The list of runs, the details of one, and the answers to a request or decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.types import Answer, Block
from bot.views.audit import row_data, row_line
from bot.views.blocks import actions, command_button, context, fit_message, section, sections
from bot.views.findings import as_of, step_button
from bot.views.golden_path import mission_blocks
from bot.views.pages import PagedApprovers, paged_line
from bot.views.plan import LINE_LIMIT, plan_lines
from bot.views.promotion import promoted_note
from bot.views.run import decision_line, headline, review_line, sign
from bot.views.run_buttons import CANCEL, CONFIRM, button, buttons, details, done_menu
from bot.views.run_steps import are_deleted, deleted_note, step_lines
from bot.views.terminal import mrkdwn_text
from bot.views.text import code, date_token, escape, person
from playbooks.golden_path import NAME as GOLDEN_PATH
from playbooks.model import NextStep, Status
from services.domain.incidents import Incident
from services.domain.promotion import PROOF
from services.domain.runs import UNDECIDED, Decision, Record, Review, Run, RunState, RunStep
from services.domain.text import counted

STATUSES = {RunState.FAILED: Status.FAIL, RunState.UNKNOWN: Status.UNKNOWN}
SHOWN_BUTTONS = 5  # runs of the list with their own button
_OF_THE_MESSAGE = ("run.approve", "run.deny", "run.confirm", "run.details")


def runs_answer(runs: Sequence[Run], *, now: datetime) -> Answer:
    """The newest runs: first those that wait for a decision, then scheduled ones, then the others."""
    waiting = [run for run in runs if run.state in {*UNDECIDED, RunState.UNKNOWN}]
    undecided = f"{len(waiting)} waiting for a decision{_scheduled(runs)}"
    first = f"*{counted(len(runs), 'run')}*, {undecided}" if runs else "*No runs yet*"
    waiting = [*waiting, *(run for run in runs if run.is_scheduled)]
    ordered = [*waiting, *(run for run in runs if run not in waiting)]
    blocks: list[Block] = [section(first)]
    blocks += [section(run_line(run), accessory=_open(run)) for run in ordered[:SHOWN_BUTTONS]]
    blocks += sections(map(run_line, ordered[SHOWN_BUTTONS:]))
    return Answer(*fit_message(first, [*blocks, context(as_of(now))]), [run_data(run) for run in runs])


def _scheduled(runs: Sequence[Run]) -> str:
    count = sum(run.is_scheduled for run in runs)
    return f", {count} scheduled" if count else ""


def record_answer(record: Record) -> Answer:
    """Everything about a run: requester, plan, decisions with plan hashes, steps with evidence, outcome, audit rows."""
    run = record.run
    first = headline(run, record.steps)
    asked = f"Requested by {person(run.requested_by)} {date_token(run.created_at)}"
    reason = f": {escape(run.reason, limit=LINE_LIMIT)}" if run.reason else ""
    outcome = [escape(run.outcome, limit=2 * LINE_LIMIT)] if run.outcome else []
    plan = run.plan
    blocks: list[Block] = [
        section(first),
        *sections([*outcome, f"{asked}{reason}", *_decided(record)]),
        *sections(plan_lines(plan.get("impact", ()), plan.get("warnings", ()), plan.get("undo"))),
        *_steps(run, record.steps),
        *actions(_buttons(record)),
        *sections(map(row_line, record.audit)),
        context(" · ".join([*_named(run), code(_typed(run), limit=200), f"plan `{run.plan_hash}`"])),
    ]
    return Answer(*fit_message(first, blocks), record_data(record), STATUSES.get(run.state, Status.OK), private=True)


def run_line(run: Run) -> str:
    """ "✅ *DONE* · run 12 · *Scale ingest: 1 → 2* · @olivia, today 12:05", in mrkdwn."""
    title = escape(run.title, limit=200)
    return f"{sign(run)} · run {run.id} · *{title}* · {person(run.requested_by)} {date_token(run.created_at)}"


def run_data(run: Run) -> dict[str, object]:
    """Data of a run for `--json`."""
    moments = ("created_at", "start_at", "expires_at", "approved_at", "started_at", "ended_at")
    return {
        "id": run.id,
        "state": run.state.value,
        "title": run.title,
        "command": _typed(run),
        "environment": run.environment,
        "parameters": dict(run.parameters),
        "risk": run.risk,
        "requested_by": run.requested_by.user_id if run.requested_by else None,
        "reason": run.reason,
        "plan_hash": run.plan_hash,
        "outcome": run.outcome,
        **{name: getattr(run, name) for name in moments},
    }


def record_data(record: Record) -> dict[str, object]:
    """Data of a run with plan, steps, decisions, review and audit rows."""
    return run_data(record.run) | {
        "plan": dict(record.run.plan),
        "steps": [_step_data(step) for step in record.steps],
        "decisions": [_decision_data(decision) for decision in record.decisions],
        "review": _review_data(record.review) if record.review else None,
        "audit": [row_data(row) for row in record.audit],
    }


def _buttons(record: Record) -> list[Block]:
    run, steps = record.run, record.steps
    others = [command_button(*one) for one in done_menu(run, steps)]
    return [one for one in [*buttons(run, steps), *others] if one["action_id"] not in _OF_THE_MESSAGE][:3]


def _steps(run: Run, steps: Sequence[RunStep]) -> list[Block]:
    if are_deleted(run, steps):
        return [deleted_note()]
    return mission_blocks(run, steps) if run.playbook == GOLDEN_PATH else step_lines(steps)


def _open(run: Run) -> Block:
    return command_button("Details", f"run {run.id}")


def _named(run: Run) -> list[str]:
    return [f"run {run.id}", *promoted_note(run.parameters)]


def _typed(run: Run) -> str:
    """The command and its parameters, without a proof's signature, which readers do not need."""
    shown = {name: value for name, value in sorted(run.parameters.items()) if name != PROOF}
    return " ".join([run.playbook, *(f"{name}={value}" for name, value in shown.items())])


def _decided(record: Record) -> list[str]:
    reviewed = [review_line(record.review)] if record.review else []
    return [f"{decision_line(one)} (plan {code(one.plan_hash[:12])})" for one in record.decisions] + reviewed


def _step_data(step: RunStep) -> Mapping[str, Any]:
    return {
        "step": dict(step.step),
        "state": step.state.value,
        "evidence": step.evidence,
        "note": step.note,
        "started_at": step.started_at,
        "ended_at": step.ended_at,
    }


def _review_data(review: Review) -> Mapping[str, object]:
    return {
        "acted_by": review.acted_by.user_id,
        "asked_at": review.asked_at,
        "reviewed_by": review.reviewed_by.user_id if review.reviewed_by else None,
        "note": review.note,
        "reviewed_at": review.reviewed_at,
    }


def _decision_data(decision: Decision) -> Mapping[str, object]:
    return {
        "by": decision.person.user_id,
        "approve": decision.approve,
        "reason": decision.reason,
        "plan_hash": decision.plan_hash,
        "policy_hash": decision.policy_hash,
        "at": decision.decided_at,
    }


def decided_answer(run: Run, *, missing: int, notes: Sequence[str]) -> Answer:
    """The answer to an accepted decision. `missing`: number of approvals still needed. `notes`: mrkdwn."""
    more = f" {counted(missing, 'approval')} still missing." if missing else ""
    extra = "".join(f" {note}." for note in notes)
    first = f"{sign(run)} · run {run.id} · {escape(run.title, limit=500)}.{more}{extra}"
    return Answer(*fit_message(first, [section(first)]), run_data(run), private=True)


def refused_answer(sentence: str, step: NextStep) -> Answer:
    """The answer to a refused act. `sentence`: our own mrkdwn: why, and who may, with mentions. `step`: the button."""
    first = f"🔴 *Nothing changed*: {sentence}"
    button = step_button(step)
    blocks = [section(first), *actions([button] if button else [])]
    return Answer(*fit_message(first, blocks), {"refused": mrkdwn_text(sentence)}, Status.FAIL, private=True)


def filed_answer(
    run: Run,
    paged: PagedApprovers | None = None,
    incident: Incident | None = None,
    acknowledged: Sequence[Incident] = (),
) -> Answer:
    """The run's number, what it waits for, and who was paged. `incident`: the one whose thread has the run's message.
    `acknowledged`: incidents that the request acknowledged for the requester."""
    yours = [f"Incident {one.id} is acknowledged: you're assigned, and no one else is paged." for one in acknowledged]
    starts = f"It starts {date_token(run.start_at)}." if run.start_at else ""
    waits = " ".join(filter(None, [_waits_for(run), starts, paged_line(paged) if paged else "", *yours]))
    first = f"📨 *Run {run.id}* · {escape(run.environment)} · *{escape(run.title, limit=500)}*"
    blocks = [
        section(f"{first}\n{waits}"),
        *_confirm_here(run),
        context(f"its message is in {_where(incident)} · `run {run.id}` shows it anywhere"),
    ]
    return Answer(*fit_message(f"{first}: {waits}", blocks), run_data(run), private=True)


def _confirm_here(run: Run) -> list[Block]:
    """The buttons of the answer; for a low risk with the plan, so that the requester can confirm it here."""
    if run.state is not RunState.PLANNED:
        return actions([details(run)])
    plan = run.plan
    confirm = [button("Confirm", CONFIRM, run.id, style="primary"), button("Cancel", CANCEL, run.id), details(run)]
    return [
        *sections(plan_lines(plan.get("impact", ()), plan.get("warnings", ()), plan.get("undo"))),
        *actions(confirm),
    ]


def _where(incident: Incident | None) -> str:
    return f"the thread of incident {incident.id}" if incident else "the incidents channel"


def _waits_for(run: Run) -> str:
    until = f"until {date_token(run.expires_at)}"
    match run.state:
        case RunState.PLANNED:
            return f"It waits for your confirmation {until}."
        case RunState.AWAITING_APPROVAL:
            return f"It waits for {counted(run.approvals_needed, 'approval')} {until}."
        case _:
            return "It starts immediately."
