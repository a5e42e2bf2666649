"""What the one who asked reads at once; everybody reads the run's own message."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Answer, Block
from bot.views.blocks import actions, context, section, sections
from bot.views.calls import Called, called_line
from bot.views.message import fit_message
from bot.views.plan import plan_lines
from bot.views.run_buttons import CANCEL, CONFIRM, button, details
from bot.views.runs import run_data
from bot.views.text import date_token, escape
from services.domain.incidents import Incident
from services.domain.runs import Run, RunState
from services.domain.words import counted


def filed_answer(
    run: Run,
    called: Called | None = None,
    incident: Incident | None = None,
    acknowledged: Sequence[Incident] = (),
) -> Answer:
    """The run's number, what it waits for, and who was called about it. `incident`: in whose thread its message is.
    `acknowledged`: those that became the requester's with it."""
    yours = [f"Incident {one.id} is acknowledged: you have it, nobody else is called." for one in acknowledged]
    waits = " ".join(filter(None, [_waits_for(run), called_line(called) if called else "", *yours]))
    first = f"📨 *Run {run.id}* · {escape(run.environment)} · *{escape(run.title, limit=500)}*"
    blocks = [
        section(f"{first}\n{waits}"),
        *_confirm_here(run),
        context(f"its message is in {_where(incident)} · `run {run.id}` shows it anywhere"),
    ]
    return Answer(*fit_message(f"{first}: {waits}", blocks), run_data(run), private=True)


def _confirm_here(run: Run) -> list[Block]:
    """Who asked for something of low risk need not look for its message; what it does stands above the button."""
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
            return "It starts at once."
