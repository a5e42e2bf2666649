"""`sha`: which commit is deployed, and which one really runs."""

from __future__ import annotations

from bot.commands._arguments import no_more
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.facts import World
from bot.facts.gather import gather_sha
from bot.views.sha import sha_answer
from playbooks import sha


async def handle(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    facts = await gather_sha(world)
    return sha_answer(sha.compare(facts), sha.overall(facts), moment=facts.as_of)


COMMAND = Command(
    name="sha",
    summary="the commit of each service: deployed and really running",
    group="Services",
    handle=handle,
    examples=("sha",),
)
