"""What exists on the terminal only: applying migrations and printing the Slack manifest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.commands._arguments import no_more, wrong_word
from bot.commands._contract import Answer, Attachment
from bot.commands._verbs import Verb
from bot.manifest import manifest, manifest_json
from bot.settings import Settings, require
from services.postgres.installation import install

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
)
TERMINAL_ONLY: Mapping[str, TerminalVerb] = {verb.name: verb for verb in _VERBS}
