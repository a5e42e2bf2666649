"""The buttons of a run: at most 3, or a menu once it is done; only those that its state allows.

An action id is a stable verb, its value the run's id; the run's state is read again at the click.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.types import Block
from bot.views.blocks import EMPTY, command_button
from bot.views.run_steps import locked_services
from bot.views.text import button_text, label_text
from playbooks.model import Risk
from playbooks.stored_steps import is_left_to_clean_up
from services.domain.deployments import SHORT_ID
from services.domain.runs import Run, RunState, RunStep
from services.domain.text import counted, dated_time

APPROVE, DENY, CONFIRM = "run.approve", "run.deny", "run.confirm"
APPROVE_TYPED = "run.approve_typed"  # opens a modal
CANCEL, DETAILS, ASK_AGAIN = "run.cancel", "run.details", "run.ask_again"
REVIEW = "run.review"  # opens a modal
ALONE, VETO = "run.alone", "run.veto"  # the first opens a modal, the second takes effect at once
RESOLVE = "run.resolve"  # "run.resolve.<how>"
HOWS = {"done": "Mark done", "retry": "Retry", "abort": "Abort"}
_EFFECTS = {
    "done": "Confirms that this step happened. The run continues with the next step.",
    "retry": "The step runs again. If it did happen before, it happens twice.",
    "abort": "The run ends here. Completed steps stay in effect.",
}
_TAKEN_AWAY = "The run ends here, after the data it added is removed."
CONFIRM_TITLE, CONFIRM_TEXT = 100, 300


def buttons(run: Run, steps: Sequence[RunStep]) -> list[Block]:
    """The buttons for the run's state, most likely first."""
    match run.state:
        case RunState.PLANNED:
            return [_agree(run, "Confirm", CONFIRM), button("Cancel", CANCEL, run.id), details(run)]
        case RunState.AWAITING_APPROVAL:
            return [*_decide(run), details(run)]
        case RunState.APPROVED | RunState.RUNNING:
            return [*([] if run.cancel_requested_by else [_cancel(run)]), details(run)]
        case RunState.UNKNOWN:
            return [_resolve(run, how, _effect(how, steps)) for how in HOWS]
        case RunState.EXPIRED | RunState.VOIDED:
            return [button("Request again", ASK_AGAIN, run.id, style="primary"), details(run)]
        case RunState.SUCCEEDED:
            return [*_left_to_do(steps), *(command_button(*one) for one in _unlocks(run, steps)[:1])]
        case _:
            return [*[*_left_to_do(steps), *(command_button(*one) for one in _undos(run))][:2], details(run)]


def done_menu(run: Run, steps: Sequence[RunStep]) -> list[tuple[str, str]]:
    """Rarely needed items for a run that is done, as (label, command): unlocking other services, and undo."""
    return [*_unlocks(run, steps)[1:], *_undos(run)] if run.state is RunState.SUCCEEDED else []


def details(run: Run) -> Block:
    """Button that shows everything about the run to the person who clicks."""
    return button("Details", DETAILS, run.id)


def self_approve(run: Run) -> Block:
    """Button for the requester if no approver responded; a modal asks for the reason."""
    return button("Self-approve", ALONE, run.id)


def veto(run: Run) -> Block:
    """Button during the countdown; one click denies the request."""
    return button("Veto", VETO, run.id, style="danger")


def review(run: Run) -> Block:
    """Button that opens the review of a run without approval."""
    return button("Review", REVIEW, run.id)


def button(label: str, action_id: str, run_id: int, *, style: str | None = None, confirm: Block | None = None) -> Block:
    """Make a button of a run."""
    text = {"type": "plain_text", "text": button_text(label), "emoji": False}
    made: Block = {"type": "button", "action_id": action_id, "text": text, "value": str(run_id)}
    made |= {"style": style} if style else {}
    return made | ({"confirm": confirm} if confirm else {})


def confirm_dialog(title: str, text: str, verb: str, *, danger: bool = False) -> Block:
    """Slack's confirmation dialog for a button; it names target and effect, and `verb` is its button."""
    dialog: Block = {
        "title": _plain(title, CONFIRM_TITLE),
        "text": _plain(text, CONFIRM_TEXT),
        "confirm": _plain(verb, 30),
        "deny": _plain("Not now", 30),
    }
    return dialog | ({"style": "danger"} if danger else {})


def _decide(run: Run) -> list[Block]:
    if run.risk == Risk.CRITICAL:  # a modal asks for the typed name
        return [button("Approve", APPROVE_TYPED, run.id, style="primary"), button("Deny", DENY, run.id, style="danger")]
    return [_agree(run, "Approve", APPROVE), button("Deny", DENY, run.id, style="danger")]


def _agree(run: Run, verb: str, action_id: str) -> Block:
    """*Approve* or *Confirm* with a dialog; *Confirm* of a low risk has none, as the plan is above it."""
    if action_id == CONFIRM and run.risk == Risk.LOW:
        return button(verb, action_id, run.id, style="primary")
    starts = [f"starts {dated_time(run.start_at, run.created_at)}"] if run.start_at else []
    effect = _fitting([run.environment, *starts, *run.plan.get("impact", ())], CONFIRM_TEXT)
    return button(verb, action_id, run.id, style="primary", confirm=confirm_dialog(f"{run.title}?", effect, verb))


def _fitting(clauses: Sequence[str], limit: int) -> str:
    """As many whole clauses as fit, because a cut clause can mean its opposite. The message has all of them."""
    for shown in range(len(clauses), 1, -1):
        left = len(clauses) - shown
        text = "; ".join([*clauses[:shown], *([f"{left} more in the message"] if left else [])])
        if len(text) <= limit:
            return text
    return "; ".join(clauses)


def _cancel(run: Run) -> Block:
    text = f"{run.title} stops after the current step. Completed steps stay in effect; the message lists them."
    if run.is_scheduled:
        text = f"{run.title} will not start. Nothing has changed so far."
    dialog = confirm_dialog(f"Cancel run {run.id}?", text, "Cancel the run", danger=True)
    return button("Cancel", CANCEL, run.id, style="danger", confirm=dialog)


def _effect(how: str, steps: Sequence[RunStep]) -> str:
    return _TAKEN_AWAY if how == "abort" and is_left_to_clean_up(steps) else _EFFECTS[how]


def _resolve(run: Run, how: str, effect: str) -> Block:
    label = HOWS[how]
    dialog = confirm_dialog(f"{label}: {run.title}?", effect, label, danger=how == "retry")
    return button(label, f"{RESOLVE}.{how}", run.id, confirm=dialog)


def _undos(run: Run) -> list[tuple[str, str]]:
    """The undo commands, once the run has started."""
    commands = (run.plan.get("undo") or "").split("; ") if run.started_at else []
    return [(_undo_label(command), command) for command in commands if command]


def _unlocks(run: Run, steps: Sequence[RunStep]) -> list[tuple[str, str]]:
    """Unlock commands for the locks of a rollback; before undo, which would return to the broken version."""
    locked = locked_services(steps) if run.playbook == "rollback" else []
    return [(f"Unlock {one.short}…", f"unlock {one.short} after run {run.id}") for one in locked]


def _undo_label(command: str) -> str:
    """A short label for an undo command; the message has the command."""
    verb, *words = command.split()
    if verb != "rollback":
        return f"Undo: {command}"
    return f"Undo: {words[0]} to {words[-1][:SHORT_ID]}"


def _left_to_do(steps: Sequence[RunStep]) -> list[Block]:
    left = [job for step in steps for job in (step.evidence or {}).get("orphans", ())]
    requeue = f"requeue {left[0]}" if len(left) == 1 else "requeue orphans"
    return [command_button(f"Requeue {counted(len(left), 'job')}", requeue)] if left else []


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": label_text(text, limit=limit) or EMPTY}
