"""Bare `/dragonfly`: the state in short."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.commands._arguments import no_more
from bot.commands._contract import Answer, Command, Request
from bot.facts.gather import gather_health
from bot.views.home import home_answer
from playbooks.health import report
from services.domain.errors import Unavailable

if TYPE_CHECKING:
    from bot.facts import World


async def answer_home(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    facts = await gather_health(world)
    shas = None
    if not isinstance(facts.services, Unavailable):
        serving = {service: state.serving for service, state in facts.services.items()}
        shas = {service: deployment.commit_sha if deployment else None for service, deployment in serving.items()}
    return home_answer(report(facts), shas, now=datetime.now(UTC))


COMMAND = Command(
    name="home",
    summary="the state in short; what a line without words shows",
    group="Start here",
    handle=answer_home,
    examples=("home",),
    private=True,
)
