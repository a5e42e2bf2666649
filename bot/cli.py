"""The `dragonfly` command: the same registry as in Slack, printed for a terminal.

Exit codes: 0 fine (a warning too), 1 something is wrong, 2 the words do not fit, 3 unknown, because facts were missing,
130 interrupted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.changing import changing_of_terminal
from bot.commands._asking import DRY_RUN
from bot.commands._contract import Answer, Request, Surface
from bot.commands._registry import find, run_words
from bot.commands._verbs import Command, RoomCommand
from bot.facts import World
from bot.incidents.slack_names import SlackNames
from bot.incidents.wiring import make_board, make_room
from bot.settings import Invalid, Settings
from bot.terminal import TERMINAL_ONLY
from bot.views.errors import error_answer
from bot.views.help import topic_answer
from bot.views.plain import answer_text, mentioned_ids
from playbooks._contract import Status
from services.domain.errors import OperatorError, SourceError, UsageError
from services.domain.oncall import Schedule
from services.domain.outside_text import clean_text, printable_json
from services.domain.own_secrets import redacted
from services.process.log import fit_to_print
from services.slack.client import SlackClient

logger = logging.getLogger(__name__)

EXIT = {Status.OK: 0, Status.WARN: 0, Status.FAIL: 1, Status.UNKNOWN: 3}
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # what shells say of a program that Ctrl-C ended
JSON = "--json"
HELP = frozenset({"-h", "--help"})
Write = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What is printed, where, and the exit code."""

    text: str
    code: int
    is_error: bool = False


def main() -> None:
    """Run one command line and exit."""
    try:
        outcome = asyncio.run(dispatch(list(map(clean_text, sys.argv[1:])), os.environ, _print))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    _print(outcome.text, is_error=outcome.is_error)
    sys.exit(outcome.code)


async def dispatch(arguments: Sequence[str], environ: Mapping[str, str], write: Write = lambda _: None) -> Outcome:
    """What the arguments ask for. `--json` may stand anywhere, and so may `--help`.

    `write` prints what is too much to be part of the outcome, and comes before it; JSON is one object, without it.
    """
    as_json = JSON in arguments
    print_page: Write = (lambda _: None) if as_json else (lambda text: write(fit_to_print(text)))
    words = [word for word in arguments if word != JSON]
    names: dict[str, str] = {}
    try:
        answer, names = await _dispatch(_help_of(words) if HELP & set(words) else words, environ, print_page)
    except (OperatorError, SourceError) as error:
        answer = error_answer(error)
        code = EXIT_USAGE if isinstance(error, UsageError) else EXIT[answer.status]
    except Exception as error:  # a script gets its JSON and its exit code all the same
        logger.exception("`dragonfly %s` did not finish", " ".join(words))
        answer = error_answer(error)
        code = EXIT[answer.status]
    else:
        return Outcome(_shown(answer, names, as_json=as_json), EXIT[answer.status])
    return Outcome(_shown(answer, names, as_json=as_json), code, is_error=not as_json)


def _help_of(words: Sequence[str]) -> list[str]:
    """`logs ingest --help` is `help logs`."""
    named = [word for word in words if word not in HELP]
    if not named:
        return ["help"]
    name = named[0] if named[0] in TERMINAL_ONLY else find(named)[0].name
    return ["help", *name.split()]


async def _dispatch(words: list[str], environ: Mapping[str, str], write: Write) -> tuple[Answer, dict[str, str]]:
    """The answer, and what people are called by their Slack ids."""
    if words and words[0] in TERMINAL_ONLY:
        return await TERMINAL_ONLY[words[0]].run(words[1:], environ), {}
    if words[:1] == ["help"] and len(words) == 2 and words[1] in TERMINAL_ONLY:
        return topic_answer(TERMINAL_ONLY[words[1]], when=None), {}
    settings = Settings.from_environment(environ)
    world = World.from_settings(settings)
    try:
        answer = await _answer(words, settings, world, write)
        return answer, await _names(answer, settings, world)
    finally:
        await world.close()


async def _answer(words: list[str], settings: Settings, world: World, write: Write) -> Answer:
    """Slack is only asked by what needs the desk: reads and dry runs work without it."""
    verb, rest = find(words)
    request = Request(surface=Surface.TERMINAL, delivery=f"terminal:{uuid.uuid4()}", write=write)
    if isinstance(verb, Command) or DRY_RUN in rest:
        return await run_words(words, request, world)
    async with changing_of_terminal(settings, world) as changing:
        if changing is None or world.database is None:
            return await run_words(words, request, world)
        if isinstance(verb, RoomCommand):
            await changing.names.read()
        board = make_board(world, changing.names.of)
        room = make_room(world, world.database, board, changing.groups, changing.names)
        return await run_words(words, request, world, changing.desk, room)


def _print(text: str, *, is_error: bool = False) -> None:
    """A terminal that cannot show a character gets a question mark, a reader that went away (`| head`) nothing more."""
    stream = sys.stderr if is_error else sys.stdout
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(f"{text}\n".encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # what is buffered is flushed once more at the end


async def _names(answer: Answer, settings: Settings, world: World) -> dict[str, str]:
    """What the people and groups in the answer are called: by the on-call file, otherwise by Slack."""
    schedule = world.schedule
    known = {one.slack: one.name for one in schedule.people.values()} if isinstance(schedule, Schedule) else {}
    nameless = mentioned_ids(answer) - known.keys()
    if not nameless or isinstance(settings.slack, Invalid):
        return known
    slack = SlackClient(settings.slack.bot_token, api_url=settings.slack.api_url)
    try:
        names = SlackNames(slack, ())
        await names.look_up(nameless)
        found = {slack_id: names.known(slack_id) for slack_id in nameless}
        return known | {slack_id: name.removeprefix("@") for slack_id, name in found.items() if name}
    finally:
        await slack.aclose()


def _shown(answer: Answer, names: Mapping[str, str], *, as_json: bool) -> str:
    if as_json:
        return printable_json(json.dumps(redacted(_plain_data(answer.data)), ensure_ascii=False, indent=2))
    return fit_to_print(answer_text(answer, names))


def _plain_data(data: object) -> object:
    """As JSON has it: moments and enums are text."""
    return json.loads(json.dumps(data, ensure_ascii=False, default=str))


if __name__ == "__main__":
    main()
