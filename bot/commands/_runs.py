"""The run that a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.commands._arguments import no_more, read_number, wrong_word
from bot.facts.journal import read_record
from services.domain.errors import OperatorError, Unavailable, UsageError
from services.domain.records import Record

if TYPE_CHECKING:
    from bot.facts import World


def parse_run(words: Sequence[str], example: str) -> int:
    """The run's number, with or without `#`."""
    if not words:
        raise UsageError("Which run?", why="its number is missing", what_next=f"Write `{example}`; `runs` lists them.")
    no_more(words, 1)
    number = read_number(words[0])
    if number is None:
        raise wrong_word(words[0], "is not the number of a run", f"Write `{example}`; `runs` lists them.")
    return number


async def need_record(world: World, run_id: int) -> Record | Unavailable:
    """Raises OperatorError when there is no such run."""
    found = await read_record(world, run_id)
    if found is None:
        raise OperatorError(f"There is no run {run_id}", why="no run has this number", what_next="`runs` lists them.")
    return found
