"""A commit named by its first characters: enough where one of those that were deployed begins so."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bot.commands._arguments import parse_sha
from bot.views.text import code
from services.domain.errors import Choice, Unavailable, UsageError
from services.domain.services import Service
from services.domain.sha import is_sha, short_sha

if TYPE_CHECKING:
    from bot.facts import World

_BEGINNING = re.compile(r"[0-9a-f]{4,40}\Z")
_MOST_OFFERED = 5


def is_beginning(word: str) -> bool:
    """Whether the word may be the beginning of a commit's SHA: 4 characters or more."""
    return _BEGINNING.match(word.lower()) is not None


async def find_commit(word: str, services: Sequence[Service], world: World, *, line: str) -> str:
    """The commit that begins with this word. 7 characters name one by themselves; fewer have to be those of exactly one
    commit among the latest deployments. `line`: the command before the commit, for what is offered. Raises UsageError.
    """
    beginning = word.lower()
    if is_sha(beginning) or not is_beginning(beginning):
        return parse_sha(word)
    async with asyncio.TaskGroup() as reads:
        listing = [reads.create_task(world.deployments(service)) for service in services]
    lists = [read.result() for read in listing]
    deployed = [one.commit_sha for listed in lists if not isinstance(listed, Unavailable) for one in listed]
    return choose(
        beginning, filter(None, deployed), line, is_complete=not any(isinstance(one, Unavailable) for one in lists)
    )


def choose(beginning: str, deployed: Iterable[str], line: str, *, is_complete: bool = True) -> str:
    """The only one of the deployed commits that begins so. Without all of them nobody knows that it is the only one."""
    fitting = list(dict.fromkeys(sha for sha in deployed if sha.startswith(beginning)))
    if len(fitting) == 1 and is_complete:
        return fitting[0]
    shown = code(beginning, limit=40)
    if not is_complete:
        why = f"Railway does not tell all deployments, so {shown} may be more than one commit"
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
