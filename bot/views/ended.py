"""What the one who asked for a run reads in its thread when it has ended; an edited message notifies nobody."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.mentions import mention, person
from bot.views.plan import LINE_LIMIT
from bot.views.text import escape, with_short_ids
from services.domain.approvals import Decision
from services.domain.runs import Run, RunState

_WORDS = {
    RunState.SUCCEEDED: "done",
    RunState.FAILED: "failed",
    RunState.CANCELLED: "cancelled",
    RunState.EXPIRED: "expired",
    RunState.VOIDED: "void",
}


def ended_line(run: Run, decisions: Sequence[Decision]) -> str | None:
    """ "@olivia: denied by @ann: not during the import", in mrkdwn; None when nobody is to be told, or they know."""
    who = run.requested_by
    if who is None or not run.state.is_final or _ended_it_themselves(run):
        return None
    return with_short_ids(f"{mention(who.user_id)}: {_how(run, decisions)}")


def _ended_it_themselves(run: Run) -> bool:
    return run.state is RunState.CANCELLED and run.cancel_requested_by == run.requested_by


def _how(run: Run, decisions: Sequence[Decision]) -> str:
    denial = next((one for one in decisions if not one.approve), None)
    if denial is not None:
        return f"denied by {person(denial.person)}{f': {_short(denial.reason)}' if denial.reason else ''}"
    word = _WORDS[run.state]
    outcome = _short(run.outcome or "")
    if not outcome:
        return word
    return outcome if outcome.lower().startswith(word) else f"{word}: {outcome}"


def _short(words: str) -> str:
    return escape(words, limit=LINE_LIMIT)
