"""What an approver reads who is called about a request; the request's own message has the buttons."""

from __future__ import annotations

from bot.commands._contract import Block
from bot.views.blocks import section
from bot.views.mentions import person
from bot.views.message import fit_message
from bot.views.text import escape
from services.domain.runs import Run


def call_message(run: Run, incident_id: int) -> tuple[str, list[Block]]:
    """A direct message."""
    first = (
        f"🟡 *An approver is needed* · {escape(run.environment)} · *{escape(run.title, limit=500)}* (run {run.id}, "
        f"incident {incident_id}, asked for by {person(run.requested_by)}). Its message in the incidents channel has "
        f"the buttons. If nobody answers, {person(run.requested_by)} may start it alone."
    )
    return fit_message(first, [section(first)])
