"""`silence <what> <how long> <why>`, `silence end <id>` and `silences`: who asked not to be told of what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.alerts import names, silencing
from bot.approvals.policy import SILENCE
from bot.commands._arguments import no_more, read_number, take_window, wrong_word
from bot.commands._contract import Answer, Request
from bot.commands._needs import need_database, need_right
from bot.commands._targets import parse_reason
from bot.commands._verbs import Command, DeskCommand
from bot.facts.alerts import read_silences
from bot.views.findings import unavailable_answer
from bot.views.silences import ended_answer, reasons_answer, silenced_answer, silences_answer
from services.domain.errors import OperatorError, Unavailable, UsageError

if TYPE_CHECKING:
    from bot.approvals.desk import Desk
    from bot.facts import World

END = "end"
LONGEST = timedelta(days=7)  # what is silenced for longer is forgotten
EXAMPLE = "silence ingest 2h we move the queue"


async def answer_silence(request: Request, world: World, desk: Desk | None) -> Answer:
    if request.words and request.words[0].lower() == END:
        return await _lift(request, world, desk)
    what, lasts, words = parse(request.words)
    if not words:
        return reasons_answer(what, " ".join(request.words[1:]))
    reason = parse_reason(words, EXAMPLE)
    service = names.service_of(what)
    services = (service,) if service else ()
    person = await need_right(SILENCE, services, request, world, desk, failed="Nothing was silenced")
    made = await silencing.silence(need_database(world), what=what, lasts=lasts, reason=reason, person=person)
    return silenced_answer(made)


async def answer_silences(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    found = await read_silences(world)
    return unavailable_answer("silences", found) if isinstance(found, Unavailable) else silences_answer(found)


def parse(words: Sequence[str]) -> tuple[str, timedelta, Sequence[str]]:
    """What is silenced, for how long, and the words of the reason, which may be none."""
    if len(words) < 2:
        why = "what and how long are needed" if not words else "for how long is missing"
        raise UsageError("Nothing was silenced", why=why, what_next=f"Write `{EXAMPLE}`.")
    lasts, reason = take_window(words[1:], largest=LONGEST)
    return need_what(words[0]), lasts, reason


def need_what(word: str) -> str:
    """Raises UsageError for what is no alert, no rule and no service."""
    what = names.find_what(word)
    if what is None:
        meant = names.nearest(word)
        hint = f"Did you mean `{meant}`? " if meant else ""
        what_next = f"{hint}A service does, a rule such as `heartbeats`, or one alert such as `heartbeats.ingest`."
        raise wrong_word(word, "is neither an alert nor a service", what_next, meant=meant)
    return what


async def _lift(request: Request, world: World, desk: Desk | None) -> Answer:
    no_more(request.words, 2)
    if len(request.words) < 2:
        raise UsageError("Which silence?", why="its number is missing", what_next="`silences` lists them.")
    silence_id = read_number(request.words[1])
    if silence_id is None:
        raise wrong_word(request.words[1], "is not the number of a silence", "`silences` lists them.")
    person = await need_right(SILENCE, (), request, world, desk, failed="No silence was ended")
    ended = await silencing.lift(need_database(world), silence_id=silence_id, person=person)
    if ended is None:
        raise OperatorError(
            f"Silence {silence_id} was not ended", why="no silence of this number lasts", what_next="See `silences`."
        )
    return ended_answer(ended, by=person.user_id)


COMMANDS = (
    DeskCommand(
        name="silence",
        keeps_words=True,
        summary="tell nobody of an alert, a rule or a service for a while; `silence end 5` lifts it",
        group="Alerts",
        handle=answer_silence,
        usage="<what> <how long> <why>",
        examples=(EXAMPLE, "silence heartbeats.ingest 30m known, we wait for the deploy", "silence end 5"),
    ),
    Command(
        name="silences",
        summary="what nobody is told of: who silenced it, until when, and why",
        group="Alerts",
        handle=answer_silences,
        examples=("silences",),
        private=True,
    ),
)
