"""What an approver who is called about a request reads, and decides, in a direct message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.commands._contract import Block
from bot.views.blocks import actions, message_button, section, sections
from bot.views.first_line import FirstLine
from bot.views.mentions import mention, person
from bot.views.message import fit_message, shorten_ids
from bot.views.plan import plan_lines
from bot.views.run_buttons import buttons, details
from bot.views.text import escape
from services.domain.approvals import Decision
from services.domain.runs import Run, RunState
from services.domain.words import age

_OVER = {
    RunState.CANCELLED: "⚫ *Cancelled*",
    RunState.EXPIRED: "⚫ *Expired*",
    RunState.VOIDED: "⚫ *Void*",
}


@dataclass(frozen=True)
class Called:
    """Slack ids of who was called, and how long they have. why_not_alone: a clause of ours; None: the requester may."""

    users: tuple[str, ...]
    silence: timedelta
    why_not_alone: str | None

    @property
    def may_start_alone(self) -> bool:
        return self.why_not_alone is None


def call_message(run: Run, incident_id: int, *, may_start_alone: bool) -> tuple[str, list[Block]]:
    """A direct message."""
    who = person(run.requested_by)
    first = FirstLine("🟡 *An approver is needed* ·", run.environment, run.title)
    alone = (
        f"If no approver answers, {who} may start it alone." if may_start_alone else f"{who} may not start it alone."
    )
    asked = f"run {run.id}, incident {incident_id}, requested by {who}. {alone}"
    plan = run.plan
    lines = plan_lines(plan.get("impact", ()), plan.get("warnings", ()), plan.get("undo"))
    blocks = [section(first.shown), *sections([asked, *lines]), *actions([*buttons(run, ()), open_request(run)])]
    return fit_message(f"{first.phone}\n{asked}", shorten_ids(blocks))


def call_over(run: Run, decisions: Sequence[Decision]) -> tuple[str, list[Block]]:
    """The same message once nobody has to decide any more."""
    what = f"{escape(run.environment)} · {escape(run.title, limit=500)} (run {run.id})"
    first = f"{_decided(run, decisions)} · {what}. Nothing is asked of you."
    return fit_message(first, [section(first), *actions([details(run), open_request(run)])])


def open_request(run: Run) -> Block:
    """To the run's own message, once Slack has it."""
    return message_button("Open the request", run.message_key)


def called_line(called: Called) -> str:
    """ "@ann and @ben are called. You may not start it alone (operators cannot).", in mrkdwn, for who asked."""
    *others, last = [mention(user) for user in called.users] or ["nobody"]
    names = f"{', '.join(others)} and {last}" if others else last
    who = f"{names} {'are' if others else 'is'} called"
    if called.why_not_alone is not None:
        return f"{who}. You may not start it alone ({called.why_not_alone})."
    return f"{who}. If none of them answers within {age(called.silence)}, you may start it alone."


def _decided(run: Run, decisions: Sequence[Decision]) -> str:
    denial = next((one for one in decisions if not one.approve), None)
    if denial is not None:
        return f"⛔ *Denied* by {person(denial.person)}"
    if run.state in _OVER:
        return _OVER[run.state]
    if not decisions:
        return f"🚨 *Started alone* by {person(run.requested_by)}"
    return f"✅ *Approved* by {' and '.join(person(one.person) for one in decisions)}"
