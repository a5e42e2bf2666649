"""The `dragonfly` command line: the same commands as in Slack, printed for a terminal.

Exit codes: 0 ok or warning, 1 problem found, 2 wrong usage, 3 unknown because facts were missing, 130 interrupted.

Only the imports of help are at the top; everything else is imported when a command needs it.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import cast

from bot.commands.command import TerminalCommand
from bot.commands.help import help_for, topic_answer
from bot.commands.registry import HELP, find
from bot.commands.terminal_verbs import TERMINAL_VERBS
from bot.types import Answer, Surface
from bot.views.errors import error_answer
from bot.views.terminal import answer_text
from services.domain.errors import OperatorError, SourceError, UsageError
from services.domain.secrets import fit_to_print, redacted
from services.domain.status import Status
from services.domain.text import clean_text, printable_json

TERMINAL_ONLY: Mapping[str, TerminalCommand] = {verb.name: verb for verb in TERMINAL_VERBS}

EXIT = {Status.OK: 0, Status.WARN: 0, Status.FAIL: 1, Status.UNKNOWN: 3}
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # the shells' code for a program that Ctrl-C ended
JSON = "--json"
Write = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """Text to print and the exit code. `is_error`: printed to stderr."""

    text: str
    code: int
    is_error: bool = False


def main() -> None:
    """Run one command line and exit."""
    arguments = list(map(clean_text, sys.argv[1:]))
    try:
        outcome = help_outcome(arguments) or _run(arguments)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    if outcome.text:  # empty after a server on stdout (MCP): its client must read no extra line
        _print(outcome.text, is_error=outcome.is_error)
    gc.freeze()  # the process ends: skip the last garbage collection over all modules
    sys.exit(outcome.code)


def _run(arguments: Sequence[str]) -> Outcome:
    _speed_up_start()
    import asyncio  # help needs no event loop

    return asyncio.run(dispatch(arguments, os.environ, _print))


def _speed_up_start() -> None:
    """Skip what takes a third of the time until the first answer: garbage collection during imports, httpx's own
    command line with its colors, and pydantic's search for plugins in every installed package."""
    gc.set_threshold(50_000)
    sys.modules.setdefault("httpx._main", cast(ModuleType, None))  # None makes the import fail, which httpx handles
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")


async def dispatch(arguments: Sequence[str], environ: Mapping[str, str], write: Write = lambda _: None) -> Outcome:
    """Run one command line and return its outcome. `--json` and `--help` may stand anywhere.

    `write` prints pages that are too long for the outcome, before it returns; with `--json` it is not called.
    """
    outcome = help_outcome(arguments)
    if outcome is not None:
        return outcome
    as_json = JSON in arguments
    print_page: Write = (lambda _: None) if as_json else (lambda text: write(fit_to_print(text)))
    words = [word for word in arguments if word != JSON]
    try:
        if words and words[0] in TERMINAL_ONLY:
            return _outcome(await TERMINAL_ONLY[words[0]].handle(words[1:], environ), {}, as_json=as_json)
        from bot.terminal import answer_words  # imports every client

        found = await answer_words(words, environ, print_page)
    except Exception as error:  # a script still gets its JSON and its exit code
        return _failure(error, words, as_json=as_json)
    if found.error is not None:
        return _failure(found.error, words, found.names, as_json=as_json)
    return _outcome(found.answer, found.names, as_json=as_json)


def help_outcome(arguments: Sequence[str]) -> Outcome | None:
    """Return the requested help, or None if the arguments are no request for help. `logs ingest --help` is `help logs`.

    Reads nothing, not even the settings.
    """
    words = [word for word in arguments if word != JSON]
    as_json = JSON in arguments
    try:
        if HELP & set(words):
            return _outcome(_help_of([word for word in words if word not in HELP]), {}, as_json=as_json)
        if words[:1] == ["help"]:
            return _outcome(_help(words[1:]), {}, as_json=as_json)
    except UsageError as error:
        return _failure(error, words, as_json=as_json)
    return None


def _help_of(line: Sequence[str]) -> Answer:
    if not line:
        return _help([])
    return _help([line[0]] if line[0] in TERMINAL_ONLY else find(line)[0].name.split())


def _help(words: Sequence[str]) -> Answer:
    if len(words) == 1 and words[0] in TERMINAL_ONLY:
        return topic_answer(TERMINAL_ONLY[words[0]], when=None)
    return help_for(words, Surface.TERMINAL)


def _outcome(answer: Answer, names: Mapping[str, str], *, as_json: bool) -> Outcome:
    return Outcome(_shown(answer, names, as_json=as_json), EXIT[answer.status])


def _failure(
    error: Exception, words: Sequence[str], names: Mapping[str, str] = MappingProxyType({}), *, as_json: bool
) -> Outcome:
    if not isinstance(error, OperatorError | SourceError):
        import logging

        logging.getLogger(__name__).error("`dragonfly %s` did not finish", " ".join(words), exc_info=error)
    answer = error_answer(error)
    code = EXIT_USAGE if isinstance(error, UsageError) else EXIT[answer.status]
    return Outcome(_shown(answer, names, as_json=as_json), code, is_error=not as_json)


def _print(text: str, *, is_error: bool = False) -> None:
    """Write a line. Characters that the terminal can't show become "?"; a closed pipe (`| head`) is ignored."""
    stream = sys.stderr if is_error else sys.stdout
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(f"{text}\n".encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # Python flushes the buffer once more at exit


def _shown(answer: Answer, names: Mapping[str, str], *, as_json: bool) -> str:
    if as_json:
        return printable_json(json.dumps(redacted(_plain_data(answer.data)), ensure_ascii=False, indent=2))
    return fit_to_print(answer_text(answer, names))


def _plain_data(data: object) -> object:
    """The data as JSON types: datetimes and enums become text."""
    return json.loads(json.dumps(data, ensure_ascii=False, default=str))


if __name__ == "__main__":
    main()
