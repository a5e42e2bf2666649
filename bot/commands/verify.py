"""`verify [service] [sha]`: did the deployment arrive?"""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._arguments import no_more, parse_service
from bot.commands._commits import find_commit, is_beginning
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.facts import World
from bot.facts.gather import gather_verify
from bot.views.verify import verify_answer
from playbooks import verify
from services.domain.services import WORKERS, Service

_GROUPS = {"all": tuple(Service), "workers": WORKERS}


async def handle(request: Request, world: World) -> Answer:
    targets, word = parse(request.words)
    line = " ".join(("verify", *request.words[:-1]))
    wanted = await find_commit(word, targets, world, line=line) if word else None
    facts = await gather_verify(world, targets, wanted)
    steps = verify.steps(facts)
    status, sentence = verify.verdict(facts, steps)
    return verify_answer(status, sentence, steps, moment=facts.as_of)


def parse(words: Sequence[str]) -> tuple[tuple[Service, ...], str | None]:
    """The services and the commit as it was typed; a first word that can be a commit means all services."""
    no_more(words, 2)
    if not words:
        return tuple(Service), None
    if len(words) == 1 and is_beginning(words[0]):
        return tuple(Service), words[0]
    targets = _GROUPS.get(words[0].lower()) or (parse_service(words[0]),)
    return targets, words[1] if len(words) == 2 else None


COMMAND = Command(
    name="verify",
    summary="SHA, API health and heartbeats after a deployment, as one verdict",
    group="Services",
    handle=handle,
    usage="[service] [sha]",
    examples=("verify", "verify api", "verify workers a1b2c3d4"),
)
