"""`env [service]`: are the runbook's variables there, well-formed and of one mind?"""

from __future__ import annotations

from bot.commands._arguments import no_more, parse_service
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.facts import World
from bot.facts.gather import gather_env
from bot.views.env import env_answer
from playbooks import env
from services.domain.errors import Unavailable
from services.domain.services import Service


async def handle(request: Request, world: World) -> Answer:
    no_more(request.words, 1)
    targets = tuple(Service) if not request.words else (parse_service(request.words[0]),)
    facts = await gather_env(world, targets)
    states = {} if isinstance(facts.services, Unavailable) else facts.services
    links = {service: states[service].link for service in targets if service in states}
    return env_answer(env.check(facts), links)


COMMAND = Command(
    name="env",
    summary="the services' variables: missing, malformed, disagreeing; never a value",
    group="Configuration",
    handle=handle,
    usage="[service]",
    examples=("env", "env ingest"),
    private=True,
)
