"""`requeue <job|group>`: put failed or orphaned jobs back into the queue."""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands._arguments import no_more
from bot.commands._verbs import Change
from services.domain.errors import UsageError

EXAMPLE = "requeue 123e4567-e89b-12d3-a456-426614174000"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`what`."""
    no_more(words, 1)
    if not words:
        raise UsageError("Which job?", why="this command needs one", what_next="`failed-jobs` shows ids and groups.")
    return {"what": words[0].lower()}


COMMAND = Change(
    name="requeue",
    summary="put a job, or all failed jobs of one kind of error, back into the queue",
    group="Changes",
    usage="<job|group>",
    examples=(EXAMPLE,),
    parse=parse,
    risk="low",
)
