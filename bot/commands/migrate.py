"""`migrate`: applies the pending migrations, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.commands.arguments import no_more
from bot.config.connections import with_owner
from bot.config.environment import Settings, require
from bot.types import Answer
from services.clients.postgres.installation import install


async def apply_migrations(words: Sequence[str], environ: Mapping[str, str]) -> Answer:
    """Apply the pending migrations with the role of DRAGONFLY_ADMIN_DB_URL, else of SUPABASE_DB_URL.

    The first time it records that the database belongs to ENVIRONMENT; afterwards it refuses any other environment.
    """
    no_more(words, 0)
    settings = Settings.from_environment(with_owner(environ))
    database, directory = require(settings.database), require(settings.changes).migrations
    environment = require(settings.identity).environment
    outcome = await install(database.admin_url or database.url, environment=environment, directory=directory)
    return Answer(outcome.notice, (), {"notice": outcome.notice})
