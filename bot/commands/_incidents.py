"""The incident that a command is about, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.commands._arguments import read_number, wrong_word
from bot.commands._contract import Answer, Request
from bot.facts.incidents import read_open_incidents
from bot.incidents.acting import Done, Outcome
from bot.views.decided import refused_answer
from bot.views.incidents import done_answer
from services.domain.errors import SourceError, Unavailable, UsageError
from services.domain.incidents import IncidentSeverity

if TYPE_CHECKING:
    from bot.facts import World


async def need_incident(request: Request, world: World, example: str) -> tuple[int, tuple[str, ...]]:
    """The incident's number and the words after it: as written, or of the thread, or of the only one that is open."""
    words = request.words
    number = read_number(words[0]) if words else None
    if number is not None:
        return number, words[1:]
    if request.incident is not None:
        return request.incident.id, words
    unresolved = await read_open_incidents(world)
    if isinstance(unresolved, Unavailable):
        raise SourceError(unresolved.source, unresolved.why)
    if len(unresolved) == 1:
        return unresolved[0].id, words
    count = f"{len(unresolved)} incidents are" if unresolved else "no incident is"
    raise UsageError("Which incident?", why=f"{count} open", what_next=f"Write `{example}`; `incident` lists them.")


def parse_severity(word: str) -> IncidentSeverity:
    """`sev1`, `sev2` or `sev3`, in any case, the number alone too."""
    written = word.lower() if word.lower().startswith("sev") else f"sev{word}"
    found = next((severity for severity in IncidentSeverity if severity == written), None)
    if found is None:
        raise wrong_word(word, "is not a severity", "Write `sev1`, `sev2` or `sev3`.")
    return found


def outcome_answer(outcome: Outcome) -> Answer:
    """For the one who clicked or typed; everybody else reads the incident's own messages."""
    if isinstance(outcome, Done):
        return done_answer(outcome.incident, outcome.words)
    return refused_answer(outcome.sentence)
