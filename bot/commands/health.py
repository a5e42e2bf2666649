"""`health`: is everything well, and if not, what is the next step?"""

from __future__ import annotations

import time

from bot.commands._arguments import wants_all
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.facts import World
from bot.facts.gather import gather_health
from bot.views.health import health_answer
from playbooks import health


async def handle(request: Request, world: World) -> Answer:
    show_all = wants_all(request.words)
    started = time.perf_counter()
    facts = await gather_health(world)
    elapsed_ms = (time.perf_counter() - started) * 1000
    return health_answer(health.report(facts), moment=facts.as_of, elapsed_ms=elapsed_ms, show_all=show_all)


COMMAND = Command(
    name="health",
    summary="is everything fine? API, database, workers, queue, deployments and bot in one message",
    group="Start here",
    handle=handle,
    usage="[all] [--env <environment>]",
    examples=("health", "health all"),
)
