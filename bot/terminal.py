"""What exists on the terminal only: applying migrations and printing the Slack manifest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from bot.commands._arguments import no_more, wrong_word
from bot.manifest import manifest_json
from bot.settings import Settings, require
from services.postgres.installation import install

Run = Callable[[Sequence[str], Mapping[str, str]], Awaitable[str]]


async def apply_migrations(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """`migrate`: apply what is pending, as DRAGONFLY_ADMIN_DB_URL's role, else SUPABASE_DB_URL's.

    The first time it writes down that the database belongs to ENVIRONMENT, and refuses any other one afterwards.
    """
    no_more(words, 0)
    settings = Settings.from_environment(environ)
    database, directory = require(settings.database), require(settings.changes).migrations
    environment = require(settings.identity).environment
    outcome = await install(database.admin_url or database.url, environment=environment, directory=directory)
    return outcome.notice


async def print_manifest(words: Sequence[str], environ: Mapping[str, str]) -> str:  # noqa: ARG001
    """`manifest [--http <url>]`: the Slack app manifest as JSON, for Socket Mode or for HTTP."""
    match list(words):
        case []:
            return manifest_json()
        case ["--http", url]:
            return manifest_json(http_url=url)
        case _:
            usage = "Write `dragonfly manifest` or `dragonfly manifest --http https://…`."
            raise wrong_word(words[0], "does not fit here", usage)


TERMINAL_ONLY: Mapping[str, Run] = {"migrate": apply_migrations, "manifest": print_manifest}
