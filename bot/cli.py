"""The `dragonfly` command: the same registry as in Slack, printed for a terminal.

Exit codes: 0 fine (a warning too), 1 something is wrong, 2 the words do not fit, 3 unknown, because facts were missing,
130 interrupted.

One template, two renderings. Each scope is there for one call that the bot makes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bot.commands.arguments import no_more, wrong_word
from bot.commands.command import Command, IncidentCommand, Verb
from bot.commands.help import topic_answer
from bot.commands.registry import find, run_words
from bot.commands.request_change import DRY_RUN
from bot.config.environment import Settings, require
from bot.config.fields import Invalid
from bot.slack_names import SlackNames
from bot.types import Answer, Attachment, Request, Surface
from bot.views.errors import error_answer
from bot.views.modals import ESCALATE_THIS
from bot.views.terminal import answer_text, mentioned_ids
from bot.world import World, open_slack
from playbooks.model import Status
from services.clients.git import read_checkout
from services.clients.postgres.migrations import install, read_files
from services.domain.errors import OperatorError, SourceError, UsageError
from services.domain.oncall import Schedule
from services.domain.secrets import fit_to_print, redacted
from services.domain.services import short_sha
from services.domain.text import clean_text, printable_json

SCOPES = (
    "app_mentions:read",  # @dragonfly …
    "channels:history",  # find a message whose answer was lost
    "channels:read",  # the incidents channel, from its name
    "chat:write",  # answers, alerts
    "commands",  # /dragonfly
    "files:write",  # a postmortem
    "groups:history",  # the same in private channels
    "groups:read",
    "im:history",  # find a direct message whose answer was lost
    "im:read",  # whether a direct message is with somebody of another company
    "im:write",  # call somebody directly
    "reactions:read",  # messages marked for the timeline
    "usergroups:read",  # who is in the groups of operators and approvers
    "users:read",  # whether somebody is a bot
)
EVENTS = ("app_home_opened", "app_mention", "reaction_added", "reaction_removed")
SHORTCUTS = {ESCALATE_THIS: ("Escalate this", "Open an incident from this message")}


def manifest(*, http_url: str | None = None, command: str = "/dragonfly") -> dict[str, Any]:
    """Socket Mode without `http_url`; with it, Slack posts to `<http_url>/slack/events`. Raises UsageError."""
    url = None if http_url is None else _endpoint(http_url)
    at = {} if url is None else {"request_url": url}
    slash = {
        "command": command,
        "description": "Operate Dragonfly Civil",
        "usage_hint": "health | sha | heartbeats | queue | logs <service> | help",
        "should_escape": True,
    }
    return {
        "display_information": {
            "name": "Dragonfly",
            "description": "Tells how Dragonfly Civil is doing, and what to do about it",
            "background_color": "#1d3557",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": True,
            },
            "bot_user": {"display_name": command.removeprefix("/"), "always_online": True},
            "shortcuts": [
                {"name": name, "type": "message", "callback_id": callback_id, "description": description}
                for callback_id, (name, description) in SHORTCUTS.items()
            ],
            "slash_commands": [slash if url is None else slash | {"url": url}],
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": list(EVENTS)} | at,
            "interactivity": {"is_enabled": True} | at,
            "org_deploy_enabled": False,
            "socket_mode_enabled": url is None,
            "token_rotation_enabled": False,
        },
    }


def manifest_json(*, http_url: str | None = None) -> str:
    """What `dragonfly manifest` prints."""
    return json.dumps(manifest(http_url=http_url), indent=2)


def _endpoint(url: str) -> str:
    """Where Slack posts. Slack takes https addresses only."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(
            "The manifest needs the bot's public address",
            why="Slack posts to https addresses only, and this is none",
            what_next="Write `dragonfly manifest --http https://<the bot's address>`.",
        )
    return f"{url.removesuffix('/').removesuffix('/slack/events')}/slack/events"


Run = Callable[[Sequence[str], Mapping[str, str]], Awaitable[Answer]]
GROUP = "On a terminal"


@dataclass(frozen=True, kw_only=True)
class TerminalVerb(Verb):
    """One with its own way to the environment. `run` is given the words after the verb."""

    run: Run


async def apply_migrations(words: Sequence[str], environ: Mapping[str, str]) -> Answer:
    """`migrate`: apply what is pending, as DRAGONFLY_ADMIN_DB_URL's role, else SUPABASE_DB_URL's.

    The first time it writes down that the database belongs to ENVIRONMENT, and refuses any other one afterwards.
    """
    no_more(words, 0)
    settings = Settings.from_environment(environ)
    database, directory = require(settings.database), require(settings.changes).migrations
    environment = require(settings.identity).environment
    outcome = await install(database.admin_url or database.url, environment=environment, directory=directory)
    return Answer(outcome.notice, (), {"notice": outcome.notice})


async def print_manifest(words: Sequence[str], environ: Mapping[str, str]) -> Answer:  # noqa: ARG001
    """`manifest [--http <url>]`: the Slack app manifest as JSON, for Socket Mode or for HTTP."""
    match list(words):
        case []:
            url = None
        case ["--http", given]:
            url = given
        case _:
            usage = "Write `dragonfly manifest` or `dragonfly manifest --http https://…`."
            raise wrong_word(words[0], "does not fit here", usage)
    text = manifest_json(http_url=url)
    return Answer("", (), manifest(http_url=url), file=Attachment("manifest.json", text))


PACKAGES = Path(__file__).resolve().parents[1]  # the checkout, or where the wheel is installed


async def print_version(words: Sequence[str], environ: Mapping[str, str]) -> Answer:
    """`version`: what is installed here, from which commit where that is known, and the schema that it brings."""
    no_more(words, 0)
    told = {
        "version": _own_version(),
        "commit": environ.get("RAILWAY_GIT_COMMIT_SHA", "").strip() or await _own_commit(),
        "schema": read_files()[-1].version,
    }
    text = f"dragonfly {told['version']}, commit {short_sha(told['commit'])}, schema {told['schema']}"
    return Answer(text, (), told)


def _own_version() -> str:
    """A checkout's pyproject.toml, which need not be installed (Railway installs the requirements), or the wheel's.

    Imported here: both take longer to import than a read takes.
    """
    pyproject = PACKAGES / "pyproject.toml"
    if pyproject.exists():
        import tomllib

        return str(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"])
    from importlib.metadata import version

    return version("dragonfly-chatops")


async def _own_commit() -> str | None:
    """Of the checkout that this code lies in; None for a wheel, whatever repository its environment lies in."""
    if not (PACKAGES / ".git").exists():
        return None
    try:
        return (await read_checkout(PACKAGES)).head
    except SourceError:
        return None


_VERBS = (
    TerminalVerb(
        name="migrate",
        summary="apply the pending migrations; the first time, write down whose environment the database is",
        group=GROUP,
        run=apply_migrations,
        examples=("migrate",),
        private=True,
    ),
    TerminalVerb(
        name="manifest",
        summary="print the Slack app's manifest, for Socket Mode or for HTTP",
        group=GROUP,
        run=print_manifest,
        usage="[--http <url>]",
        examples=("manifest", "manifest --http https://bot.example"),
        private=True,
    ),
    TerminalVerb(
        name="version",
        summary="print the installed version, its commit where it is known, and the schema that it brings",
        group=GROUP,
        run=print_version,
        examples=("version", "version --json"),
        private=True,
    ),
)
TERMINAL_ONLY: Mapping[str, TerminalVerb] = {verb.name: verb for verb in _VERBS}

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
    """Only requests and incidents need the approval service and Slack; reads and dry runs work without them."""
    verb, rest = find(words)
    request = Request(surface=Surface.TERMINAL, delivery=f"terminal:{uuid.uuid4()}", write=write)
    if isinstance(verb, Command) or DRY_RUN in rest:
        return await run_words(words, request, world)
    return await _answer_with_services(verb, words, request, settings, world)


async def _answer_with_services(
    verb: Verb, words: list[str], request: Request, settings: Settings, world: World
) -> Answer:
    """With the approval service and the incident service where the settings allow it.

    Imported here: the wiring has the whole bot with it, which takes longer to import than a read takes.
    """
    from bot.wiring import change_wiring_of_terminal, make_incident_service, make_incident_store

    async with change_wiring_of_terminal(settings, world) as changing:
        if changing is None or world.database is None:
            return await run_words(words, request, world)
        if isinstance(verb, IncidentCommand):
            await changing.names.read()
        incident_store = make_incident_store(world, changing.names.of)
        incident_service = make_incident_service(world, world.database, incident_store, changing.groups, changing.names)
        return await run_words(words, request, world, changing.approval_service, incident_service)


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
    slack = open_slack(settings.slack)
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
