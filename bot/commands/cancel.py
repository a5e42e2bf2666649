"""`cancel <id>`: end a run that waits, or stop one that runs after the step under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.commands.context import need_actor, need_approval_service, outcome_answer, parse_run
from bot.types import Answer, Request

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.world import World


async def answer_cancel(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:  # noqa: ARG001 - one signature
    run_id = parse_run(request.words, "cancel 12")
    actor = need_actor(request)
    return outcome_answer(await need_approval_service(approval_service).cancel(run_id, actor), run_id)
