"""The incident that a command is about, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.commands._arguments import read_number, wrong_word
from bot.commands._contract import Answer, Request
from bot.commands._words import join_words
from bot.facts.incidents import read_open_incidents
from bot.incidents.acting import Done, Joined, Outcome
from bot.views.decided import refused_answer
from bot.views.incidents import done_answer, incident_line, joined_answer
from playbooks._contract import NextStep
from services.domain.errors import Choice, SourceError, Unavailable, UsageError
from services.domain.incidents import Incident, IncidentSeverity

if TYPE_CHECKING:
    from bot.facts import World

MOST_OFFERED = 10
ON_CALL = NextStep("Who is on call", "oncall")  # the people who could, where somebody may not
_LABELS = {
    "ack": "Acknowledge",
    "escalate": "Escalate",
    "resolve": "Resolve…",
    "severity": "Change severity…",
    "timeline": "Timeline",
    "export": "Postmortem",
}


async def need_incident(request: Request, world: World, verb: str, example: str) -> tuple[int, tuple[str, ...]]:
    """The incident's number and the words after it: as written, or of the thread, or of the only one that is open.

    Raises UsageError that offers every open one when there are several. `verb` is what is to be done with it ("ack").
    """
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
    raise _which_incident(unresolved, verb, words, example)


def _which_incident(unresolved: Sequence[Incident], verb: str, words: tuple[str, ...], example: str) -> UsageError:
    if not unresolved:
        what_next = f"`incident` lists them; write `{example}` with the number of one that is over."
        return UsageError("Which incident?", why="no incident is open", what_next=what_next)
    lines = {one.id: join_words(["incident", verb, str(one.id), *words]) for one in unresolved[:MOST_OFFERED]}
    choices = [
        Choice(line, _LABELS[verb], incident_line(one)) for one in unresolved if (line := lines.get(one.id)) is not None
    ]
    what_next = f"Press the button beside it, or write `{example}`; `incident` lists them all."
    return UsageError(
        "Which incident?", why=f"{len(unresolved)} incidents are open", what_next=what_next, choices=choices
    )


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
    if isinstance(outcome, Joined):
        return joined_answer(outcome.incident, outcome.title)
    return refused_answer(outcome.sentence, ON_CALL)
