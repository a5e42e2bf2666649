"""Runs a command line, the same way for Slack, buttons and the terminal."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.changes import DRY_RUN, EXCEPTION, Change
from bot.commands.arguments import ServiceNameError, refuse_foreign, wrong_word
from bot.commands.command import ApprovalCommand, AskCommand, Command, IncidentCommand
from bot.commands.parsing import is_question, join_words, split_words, with_service, without_self
from bot.commands.registry import asks_for_help, find
from bot.commands.sensitive import record_raw_refusal, record_read
from bot.config.environment import require
from bot.types import Answer, Request, Surface, Verb
from bot.views.blocks import fit_message
from bot.views.notes import only_for_requester, with_masked_note, with_note
from bot.views.text import code
from playbooks.model import Risk
from services.clients.postgres.waiting_list import behind
from services.domain.environments import find_environment
from services.domain.errors import Choice, UsageError
from services.domain.people import Person
from services.domain.services import Service, find_service
from services.domain.systems import System

if TYPE_CHECKING:
    from bot.admission import Admission
    from bot.approvals.service import ApprovalService
    from bot.incidents.service import IncidentService
    from bot.world import World


ENV = "--env"  # as in the runbook's own tools
RAW = "--raw"  # checked by the command itself, which gives the reason

_TAKES_SERVICE = re.compile(r"[<\[](?:service|worker)\b")
_OPTION = re.compile(r"--[a-z][\w-]*")
_SENTENCES = ("what", "why", "reason", "cause", "command", "filter")


async def run(
    line: str,
    request: Request,
    world: World,
    approval_service: ApprovalService | None = None,
    incident_service: IncidentService | None = None,
) -> Answer:
    """Run a typed line. Raises UsageError for invalid words, OperatorError for what can't be done.

    The answer fits into a Slack message, and is private if the command is. `approval_service` takes requests for
    changes, `incident_service` acts on incidents; None where they are not available.
    """
    request = replace(request, is_question=is_question(line))
    return await run_words(split_words(line, request.surface), request, world, approval_service, incident_service)


async def run_words(
    words: list[str],
    request: Request,
    world: World,
    approval_service: ApprovalService | None = None,
    incident_service: IncidentService | None = None,
) -> Answer:
    """Like `run`, for a line that is split into words already, as by a shell.

    Words that are no command, or are invalid for a read, are treated as a question if they look like one. A change is
    never guessed, and a machine must use `ask`, because it may have permission to read but not to ask.
    """
    services = (approval_service, incident_service)
    try:
        verb, rest = find(_without_help(words), before=split_words(request.before, request.surface))
    except UsageError as unknown:
        return await _run_question(words, unknown, request, world, *services)
    try:
        return await _run_verb(verb, rest, request, world, *services)
    except UsageError as unfit:
        if not verb.is_read:
            raise
        return await _run_question(words, unfit, request, world, *services)


async def _run_question(
    words: list[str],
    error: UsageError,
    request: Request,
    world: World,
    approval_service: ApprovalService | None,
    incident_service: IncidentService | None,
) -> Answer:
    if _is_of_machine(request) or not (request.is_question or is_question(" ".join(words))):
        raise error
    verb, rest = find(["ask", *words])
    request = replace(request, unknown_command=error)
    return await _run_verb(verb, rest, request, world, approval_service, incident_service)


def _is_of_machine(request: Request) -> bool:
    return request.actor is not None and Person(request.actor.user_id, request.actor.team_id).is_machine


async def _run_verb(
    verb: Verb,
    rest: tuple[str, ...],
    request: Request,
    world: World,
    approval_service: ApprovalService | None,
    incident_service: IncidentService | None,
) -> Answer:
    system = world.system if _is_emergency(verb) else await world.recognized()
    try:
        request = replace(request, words=with_service(take_options(verb, rest, world), verb.usage, request.incident))
        if world.is_recognized:
            _refuse_foreign(verb, request.words, system)
        answer = await _run(verb, request, world, approval_service, incident_service)
    except UsageError as error:
        raise _with_suggestion(_with_services(error, world.known_services), verb, rest) from None
    if verb.keeps_words:
        answer = with_masked_note(answer, " ".join(request.words), command=verb.name)
    answer = replace(answer, private=answer.private or verb.private)
    if request.surface is Surface.TERMINAL:
        return answer
    # A requested change is shown to everyone, regardless of the limit; a question's answer is shown already.
    if not isinstance(verb, Change | AskCommand):
        answer = _bounded(answer, request, world)
    text, blocks = fit_message(answer.text, answer.blocks)
    return replace(answer, text=text, blocks=blocks)


def _is_emergency(verb: Verb) -> bool:
    """True for break-glass changes, which must not wait for the database."""
    return isinstance(verb, Change) and verb.risk is Risk.BREAK_GLASS


def _refuse_foreign(verb: Verb, words: Sequence[str], system: System) -> None:
    """Raise UsageError for a service of another system: reported as missing here, not as unknown."""
    service = find_service(words[0]) if words and _TAKES_SERVICE.match(verb.usage) else None
    if service is not None and system.find_service(words[0]) is None:
        refuse_foreign(words[0], system)


async def _run(
    verb: Verb,
    request: Request,
    world: World,
    approval_service: ApprovalService | None,
    incident_service: IncidentService | None,
) -> Answer:
    match verb:
        case Command():
            async with _admit(world.questions, request):
                with behind() if request.actor else nullcontext():  # pages, runs, decisions get sessions first
                    if RAW in request.words and request.surface is not Surface.TERMINAL:
                        await record_raw_refusal(verb, request, world)
                    note = await record_read(verb, request, world) if verb.is_sensitive else None
                    answer = await verb.handle(request, world)
                    return with_note(answer, note) if note else answer
        case ApprovalCommand():
            async with _admit(world.questions if verb.is_read else world.decisions, request):
                return await verb.handle(request, world, approval_service)
        case AskCommand():
            async with _admit(world.asks, request):
                with behind():
                    return await verb.handle(request, world, approval_service)
        case IncidentCommand():
            async with _admit(world.questions if verb.is_read else world.decisions, request):
                return await verb.handle(request, world, incident_service)
        case Change(risk=Risk.BREAK_GLASS):
            return await _ask(verb, request, world, approval_service)
        case Change():
            async with _admit(world.plans, request):
                return await _ask(verb, request, world, approval_service)
        case _:
            raise TypeError(f"{verb.name} is no kind of verb that can be run")


async def _ask(change: Change, request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    from bot.commands.request_change import ask  # imports the executors

    return await ask(change, request, world, approval_service)


def _admit(admission: Admission, request: Request) -> AbstractAsyncContextManager[None]:
    """Admission of the requester; none on a terminal, which has its own process."""
    return admission.admit(request.actor.user_id) if request.actor else nullcontext()


def _bounded(answer: Answer, request: Request, world: World) -> Answer:
    """Make a public answer private while the channel, or this person in it, is over the rate limit."""
    actor, channel = request.actor, request.channel_id
    if answer.private or actor is None or channel is None:
        return answer
    return answer if world.public_answers.take(channel, actor.user_id) else only_for_requester(answer)


def _without_help(words: list[str]) -> list[str]:
    """Turn `logs ingest --help` into `help logs`."""
    if not asks_for_help(words):
        return words
    named = without_self(words[:-1])
    return ["help", *find(named)[0].name.split()] if named else ["help"]


def take_options(verb: Verb, words: tuple[str, ...], world: World) -> tuple[str, ...]:
    """Return the words without `--env`, which must name the bot's own environment. Raises UsageError for another
    environment, and for an option that the verb does not have."""
    known = known_options(verb)
    if ENV in known:
        words = _without_env(verb, words, world)
    if not _takes_sentence(verb):
        for word in words:
            _refuse_unknown(verb, word, known)
    return words


def known_options(verb: Verb) -> list[str]:
    """The options in the verb's usage, and those that every change has."""
    if not isinstance(verb, Change):
        return _OPTION.findall(verb.usage)
    return [*_OPTION.findall(verb.usage), DRY_RUN, *([EXCEPTION] if verb.held_by_freezes else [])]


def _refuse_unknown(verb: Verb, word: str, known: list[str]) -> None:
    name = word.partition("=")[0]
    if not _OPTION.fullmatch(name) or name in (*known, RAW):
        return
    has = f"`{verb.name}` has {', '.join(f'`{one}`' for one in known)}" if known else f"`{verb.name}` has no options"
    raise wrong_word(name, "is not an option", f"{has}; `help {verb.name}` shows more.")


def _takes_sentence(verb: Verb) -> bool:
    """True if the verb ends with free text, which may begin with `--`; `logs` checks its options itself."""
    return any(f"{name}{end}" in verb.usage for name in _SENTENCES for end in ">]")


def _without_env(verb: Verb, words: tuple[str, ...], world: World) -> tuple[str, ...]:
    at = next((n for n, word in enumerate(words) if word.partition("=")[0] == ENV), None)
    if at is None:
        return words
    _, equals, named = words[at].partition("=")
    after = at + 1
    if not equals:
        named, after = (words[after] if after < len(words) else ""), after + 1
    _check_environment(verb, named.lower(), require(world.settings.identity).environment)
    return (*words[:at], *words[after:])


def _check_environment(verb: Verb, named: str, own: str) -> None:
    found = find_environment(named)
    if found is not None and found.name == own:
        return
    why = f"this bot is in `{own}`, not in {code(named, limit=40)}" if named else "no environment follows `--env`"
    what_next = f"`{verb.name}` without `--env` checks `{own}`; for another environment use its own bot."
    raise UsageError("Nothing was checked", why=why, what_next=what_next)


def _with_services(error: UsageError, services: Collection[Service]) -> UsageError:
    """The error, listing these services if it lists services."""
    return error.of(services) if isinstance(error, ServiceNameError) else error


def _with_suggestion(error: UsageError, verb: Verb, rest: Sequence[str]) -> UsageError:
    """The error completed from the whole line: the corrected line as a choice, and, if the error names nothing to type,
    a hint to the command's help."""
    choices = error.choices
    if error.instead is not None and not choices:
        typed, meant = error.instead
        line = join_words([*verb.name.split(), *(meant if word == typed else word for word in rest)])
        choices = (Choice(line),) if line else ()
    more = "" if "`" in error.what_next or choices else f" `help {verb.name}` shows more."
    return UsageError(error.what, why=error.why, what_next=f"{error.what_next}{more}", choices=choices)
