"""What the desk said, as an answer."""

from __future__ import annotations

from bot.approvals.desk import Decided
from bot.approvals.rights import Refused
from bot.commands._contract import Answer
from bot.views.decided import decided_answer, refused_answer
from playbooks._contract import NextStep


def outcome_answer(outcome: Decided | Refused, run_id: int) -> Answer:
    """For the one who clicked or typed."""
    if isinstance(outcome, Refused):
        return refused_answer(outcome.sentence, NextStep(f"Run {run_id}", f"run {run_id}"))
    return decided_answer(outcome.run, missing=outcome.missing, notes=outcome.notes)
