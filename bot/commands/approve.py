"""`approve`, `deny`, `review`, `start-alone`, `cancel`: the typed form of a run's buttons, where no dialog opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.commands.arguments import parse_reason, read_number, wrong_word
from bot.commands.context import need_actor, need_approval_service, outcome_answer, parse_run
from bot.types import Answer, Request
from services.domain.errors import UsageError

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.world import World


APPROVE, DENY, REVIEW, ALONE = "approve 12", "deny 12 not tonight", "review 12 it was right", "start-alone 12 it grows"


async def answer_approve(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:  # noqa: ARG001 - one signature
    """Approve a run. A critical one needs the confirmation text after the number, as in the dialog."""
    run_id, typed = _parse(request.words, APPROVE)
    actor = need_actor(request)
    outcome = await need_approval_service(approval_service).decide(run_id, actor, approve=True, typed=" ".join(typed))
    return outcome_answer(outcome, run_id)


async def answer_deny(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:  # noqa: ARG001 - one signature
    run_id, words = _parse(request.words, DENY)
    reason, actor = parse_reason(words, DENY), need_actor(request)
    return outcome_answer(
        await need_approval_service(approval_service).decide(run_id, actor, approve=False, reason=reason), run_id
    )


async def answer_review(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:  # noqa: ARG001 - one signature
    run_id, words = _parse(request.words, REVIEW)
    note, actor = parse_reason(words, REVIEW, called="finding"), need_actor(request)
    return outcome_answer(await need_approval_service(approval_service).review(run_id, actor, note), run_id)


async def answer_self_approval(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:  # noqa: ARG001 - one signature
    run_id, words = _parse(request.words, ALONE)
    reason, actor = parse_reason(words, ALONE), need_actor(request)
    return outcome_answer(await need_approval_service(approval_service).self_approve(run_id, actor, reason), run_id)


async def answer_cancel(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:  # noqa: ARG001 - one signature
    run_id = parse_run(request.words, "cancel 12")
    actor = need_actor(request)
    return outcome_answer(await need_approval_service(approval_service).cancel(run_id, actor), run_id)


def _parse(words: tuple[str, ...], example: str) -> tuple[int, tuple[str, ...]]:
    """Return the run's number and the words after it. Raises UsageError."""
    if not words:
        raise UsageError("Which run?", why="its number is missing", what_next=f"Write `{example}`; `runs` lists them.")
    run_id = read_number(words[0])
    if run_id is None:
        raise wrong_word(words[0], "is not the number of a run", f"Write `{example}`; `runs` lists them.")
    return run_id, words[1:]
