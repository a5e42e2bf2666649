"""`cancel <id>`: end a run that waits, or stop one that runs after the step under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.commands._contract import Answer, Request
from bot.commands._needs import need_actor, need_desk
from bot.commands._outcome import outcome_answer
from bot.commands._runs import parse_run
from bot.commands._verbs import DeskCommand

if TYPE_CHECKING:
    from bot.approvals.desk import Desk
    from bot.facts import World


async def answer_cancel(request: Request, world: World, desk: Desk | None) -> Answer:  # noqa: ARG001 - one signature
    run_id = parse_run(request.words, "cancel 12")
    actor = need_actor(request)
    return outcome_answer(await need_desk(desk).cancel(run_id, actor), run_id)


COMMAND = DeskCommand(
    name="cancel",
    summary="end a run that waits, or stop one that runs after the step under way",
    group="Runs",
    handle=answer_cancel,
    usage="<id>",
    examples=("cancel 12",),
    private=True,
)
