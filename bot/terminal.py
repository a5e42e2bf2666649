"""Answers one command line on a terminal with its own clients; Slack only where a command needs it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.changes import DRY_RUN, Change
from bot.clients import open_slack
from bot.commands.command import Command, IncidentCommand
from bot.commands.dispatch import run_words
from bot.commands.registry import find
from bot.config.environment import Settings
from bot.config.fields import Invalid
from bot.facts.absent_bot import why_absent
from bot.types import Answer, Request, Surface, Verb
from bot.views.errors import error_answer
from bot.views.notes import with_note
from bot.views.terminal import mentioned_ids
from bot.world import World
from services.domain.errors import OperatorError
from services.domain.status import Status

Write = Callable[[str], None]


@dataclass(frozen=True)
class Answered:
    """An answer with the names of the people in it, `{Slack id: name}`. `error`: the refusal that `answer` shows, or
    None."""

    answer: Answer
    names: Mapping[str, str]
    error: OperatorError | None = None


async def answer_words(words: list[str], environ: Mapping[str, str], write: Write) -> Answered:
    """Run a command. An OperatorError becomes an answer, because it may name people; other errors are raised."""
    settings = Settings.from_environment(environ)
    world = World.from_settings(settings)
    try:
        await _load_calendars(world)
        answer, error = await _answer_or_refuse(words, settings, world, write)
        return Answered(answer, await _names(answer, settings, world), error)
    finally:
        await world.close()


async def _load_calendars(world: World) -> None:
    """Load the on-call calendars. Their module is imported only if the on-call file has calendars."""
    if not isinstance(world.schedule, Invalid | None) and world.schedule.has_calendars:
        from bot.oncall.calendar_sources import load_calendars

        await load_calendars(world)


async def _answer_or_refuse(
    words: list[str], settings: Settings, world: World, write: Write
) -> tuple[Answer, OperatorError | None]:
    try:
        return await _answer(words, settings, world, write), None
    except OperatorError as error:
        return error_answer(error), error


async def _answer(words: list[str], settings: Settings, world: World, write: Write) -> Answer:
    """Run the words. Only changes and incident commands get the approval service; reads and dry runs need no Slack."""
    verb, rest = find(words)
    request = Request(surface=Surface.TERMINAL, delivery=f"terminal:{uuid.uuid4()}", write=write)
    if isinstance(verb, Command) or DRY_RUN in rest:
        return await run_words(words, request, world)
    return await _answer_with_services(verb, words, request, settings, world)


async def _answer_with_services(
    verb: Verb, words: list[str], request: Request, settings: Settings, world: World
) -> Answer:
    """Run the words with the approval service and the incident service, where the settings allow them.

    The wiring is imported here: it imports the whole bot, which takes longer than a read.
    """
    from bot.wiring.changes import change_wiring_of_terminal
    from bot.wiring.incidents import make_incident_service, make_incident_store

    async with change_wiring_of_terminal(settings, world) as changing:
        if changing is None or world.database is None:
            return await run_words(words, request, world)
        if isinstance(verb, IncidentCommand):
            await changing.names.read()
        incident_store = make_incident_store(world, changing.names.of)
        incident_service = make_incident_service(world, world.database, incident_store, changing.groups, changing.names)
        answer = await run_words(words, request, world, changing.approval_service, incident_service)
        # A change asked for the bot before it was filed.
        if verb.is_read or isinstance(verb, Change) or answer.status is Status.FAIL:
            return answer
        absent = await why_absent(world)
        return with_note(answer, f"{absent}; messages and pages wait until it is back") if absent else answer


async def _names(answer: Answer, settings: Settings, world: World) -> dict[str, str]:
    """Names of the people and groups in the answer, from the on-call file, otherwise from Slack: `{Slack id: name}`."""
    schedule = world.schedule
    known = {} if isinstance(schedule, Invalid | None) else {one.slack: one.name for one in schedule.people.values()}
    nameless = mentioned_ids(answer) - known.keys()
    if not nameless or isinstance(settings.slack, Invalid):
        return known
    from bot.slack_directory import SlackNames  # rarely needed: few answers name people who are not in the on-call file

    slack = open_slack(settings.slack)
    try:
        names = SlackNames(slack, ())
        await names.look_up(nameless)
        found = {slack_id: names.known(slack_id) for slack_id in nameless}
        return known | {slack_id: name.removeprefix("@") for slack_id, name in found.items() if name}
    finally:
        await slack.aclose()
