"""`oncall`: who is called when something is wrong. `oncall override`: somebody stands in for somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.commands._arguments import no_more
from bot.commands._contract import Answer, Command, Request
from bot.facts.oncall import gather_oncall
from bot.views.oncall import oncall_answer
from playbooks.checks import oncall

if TYPE_CHECKING:
    from bot.facts import World


async def answer_oncall(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    facts, known = await gather_oncall(world)
    return oncall_answer(facts, oncall.check(facts), known)


COMMAND = Command(
    name="oncall",
    summary="who is called when something is wrong, level by level; gaps in the schedule",
    group="Incidents",
    handle=answer_oncall,
    examples=("oncall",),
    private=True,
)
