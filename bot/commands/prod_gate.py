"""`prod-gate [--strict]`: the runbook's five checks before a deploy, with an exit code."""

from __future__ import annotations

from bot.commands.arguments import no_more
from bot.facts import gather_gate
from bot.types import Answer, Request
from bot.views.diagnosis import gate_answer
from bot.world import World
from playbooks import prod_gate

STRICT = "--strict"


async def handle(request: Request, world: World) -> Answer:
    """For the asker alone: the security audit says what is not protected."""
    no_more(tuple(word for word in request.words if word != STRICT), 0)
    is_strict = STRICT in request.words
    facts = await gather_gate(world)
    title = "prod gate, strict" if is_strict else "prod gate"
    return gate_answer(title, prod_gate.check(facts, strict=is_strict), prod_gate.find_causes(facts))
