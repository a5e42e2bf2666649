"""`verify [service] [sha]`: verifies that a deployment serves the expected commit."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence

from bot.commands.arguments import no_more, parse_service, parse_sha
from bot.facts.verify import gather_verify
from bot.types import Answer, Request
from bot.views.text import code
from bot.views.verify import verify_answer
from bot.world import World
from playbooks import verify
from services.clients.railway.client import RailwayClient
from services.domain.errors import Choice, Unavailable, UsageError
from services.domain.services import Service, is_sha, short_sha
from services.domain.systems import System

_FEWEST = 4  # characters, if they are the prefix of only one deployed commit
_PREFIX = re.compile(rf"[0-9a-f]{{{_FEWEST},40}}\Z")
_MOST_OFFERED = 5


def is_commit_prefix(word: str) -> bool:
    """True if the word can be the prefix of a commit's SHA (4 characters or more)."""
    return _PREFIX.match(word.lower()) is not None


async def find_commit(word: str, services: Sequence[Service], world: World, *, line: str) -> str:
    """Return the commit with this prefix. 7 characters are accepted as they are; fewer must match exactly one commit of
    the latest deployments. `line`: the command before the commit, for the suggestions. Raises UsageError.
    """
    prefix = word.lower()
    if is_sha(prefix) or not is_commit_prefix(prefix):
        return parse_sha(word, fewest=_FEWEST)
    async with asyncio.TaskGroup() as reads:
        listing = [
            reads.create_task(world.ask_railway(RailwayClient.list_deployments, service)) for service in services
        ]
    lists = [read.result() for read in listing]
    deployed = [one.commit_sha for listed in lists if not isinstance(listed, Unavailable) for one in listed]
    return choose(
        prefix, filter(None, deployed), line, is_complete=not any(isinstance(one, Unavailable) for one in lists)
    )


def choose(prefix: str, deployed: Iterable[str], line: str, *, is_complete: bool = True) -> str:
    """Return the only deployed commit with this prefix. Raises UsageError if there is none or several, or if the list
    is not complete."""
    fitting = list(dict.fromkeys(sha for sha in deployed if sha.startswith(prefix)))
    if len(fitting) == 1 and is_complete:
        return fitting[0]
    shown = code(prefix, limit=40)
    if not is_complete:
        why = f"Railway does not list all deployments, so {shown} may be more than one commit"
    elif fitting:
        why = f"{len(fitting)} commits begin with {shown}"
    else:
        why = f"none of the latest deployments has a commit that begins with {shown}"
    raise UsageError(
        "Which commit?",
        why=why,
        what_next=f"Write at least 7 of its characters: `{line} 8d02b64e`.",
        choices=[Choice(f"{line} {short_sha(sha)}") for sha in fitting[:_MOST_OFFERED]],
    )


async def handle(request: Request, world: World) -> Answer:
    targets, word = parse(request.words, world.system)
    line = " ".join(("verify", *request.words[:-1]))
    wanted = await find_commit(word, targets, world, line=line) if word else None
    facts = await gather_verify(world, targets, wanted)
    steps = verify.steps(facts)
    status, sentence = verify.verdict(facts, steps)
    return verify_answer(status, sentence, steps, moment=facts.as_of)


def parse(words: Sequence[str], system: System) -> tuple[tuple[Service, ...], str | None]:
    """Parse the services and the commit, as typed. A single word that can be a commit means all services."""
    no_more(words, 2)
    if not words:
        return system.services, None
    if len(words) == 1 and is_commit_prefix(words[0]):
        return system.services, words[0]
    named = words[0].lower()
    targets = system.services if named == "all" else system.find_services(named) or (parse_service(words[0]),)
    return targets, words[1] if len(words) == 2 else None
