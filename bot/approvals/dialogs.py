"""Checks, before a dialog about a run opens, that the person could submit it now, whatever they would write."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from bot.approvals.access import Refused, Verdict
from bot.approvals.decisions import PendingDecision
from bot.approvals.rules import confirmation_phrase, may_decide, may_review
from bot.approvals.self_approval import may_begin
from services.clients.postgres import approvals
from services.domain.runs import Run


class Dialog(StrEnum):
    """Dialogs about a run. The values name refusals in the audit log, as they do for submissions."""

    APPROVE = "run.approve"
    DENY = "run.deny"
    REVIEW = "run.review"
    ALONE = "run.alone"


async def open_dialog(pending: PendingDecision, dialog: Dialog, countdown: timedelta) -> Run | Refused:
    """Return the run that the dialog is about, or the refusal, which is recorded. The submission is judged again."""
    verdict = await _judge(pending, dialog, countdown)
    return await pending.refuse(dialog, verdict) if isinstance(verdict, Refused) else pending.run


async def _judge(pending: PendingDecision, dialog: Dialog, countdown: timedelta) -> Verdict:
    match dialog:
        case Dialog.APPROVE | Dialog.DENY:
            return may_decide(
                pending.run,
                pending.person,
                approve=dialog is Dialog.APPROVE,
                typed=confirmation_phrase(pending.run),  # the dialog asks for it
                decisions=pending.decisions,
                now=pending.now,
                policy=pending.policy,
                people=pending.people,
                incidents=pending.incidents,
            )
        case Dialog.REVIEW:
            review = await approvals.read_review(pending.conn, pending.run.id)
            return may_review(pending.run, review, pending.person, pending.policy, pending.people)
        case Dialog.ALONE:
            return await may_begin(pending, countdown)
