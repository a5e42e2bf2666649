"""`cancel <id>`: end a run that waits, or stop one that runs after the step under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.commands._asking import need_desk
from bot.commands._contract import Actor, Answer, Request
from bot.commands._outcome import outcome_answer
from bot.commands._runs import parse_run
from bot.commands._verbs import DeskCommand
from services.domain.errors import OperatorError

if TYPE_CHECKING:
    from bot.approvals.desk import Desk
    from bot.facts import World


async def answer_cancel(request: Request, world: World, desk: Desk | None) -> Answer:  # noqa: ARG001 - one signature
    run_id = parse_run(request.words, "cancel 12")
    actor = need_actor(request)
    return outcome_answer(await need_desk(desk).cancel(run_id, actor))


def need_actor(request: Request) -> Actor:
    """Raises OperatorError on the terminal, which knows nobody (DESIGN §5)."""
    if request.actor is None:
        raise OperatorError(
            "Nothing was done", why="nobody knows who types on a terminal", what_next="Write it in Slack."
        )
    return request.actor


COMMAND = DeskCommand(
    name="cancel",
    summary="end a run that waits, or stop one that runs after the step under way",
    group="Runs",
    handle=answer_cancel,
    usage="<id>",
    examples=("cancel 12",),
    private=True,
)
