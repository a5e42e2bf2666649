"""`adopt`: installs the bot next to an existing system, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.config.connections import with_owner
from bot.config.environment import Settings, require
from bot.types import Answer, Attachment
from services.clients.postgres.adoption import UNDO, adopt, script
from services.domain.errors import UsageError
from services.domain.systems import CIVIL

DRY_RUN, PRINT, PRINT_UNDO = "--dry-run", "--print", "--print-undo"


async def adopt_system(words: Sequence[str], environ: Mapping[str, str]) -> Answer:
    """Adopt with the role of DRAGONFLY_ADMIN_DB_URL, or print the SQL for it. Raises OperatorError as `adopt` does."""
    if len(words) > 1 or (words and words[0] not in (DRY_RUN, PRINT, PRINT_UNDO)):
        raise UsageError(
            f"`adopt {' '.join(words)}` was not understood",
            why="it takes one option at most",
            what_next=f"Write `dragonfly adopt`, or one of `{DRY_RUN}`, `{PRINT}` and `{PRINT_UNDO}` with it.",
        )
    option = words[0] if words else None
    if option == PRINT_UNDO:
        return _printed(UNDO.name, UNDO.read_text(encoding="utf-8"))
    settings = Settings.from_environment(with_owner(environ))
    environment, directory = require(settings.identity).environment, require(settings.changes).migrations
    if option == PRINT:
        return _printed("adopt.sql", script(CIVIL, environment=environment, directory=directory))
    database = require(settings.database)
    outcome = await adopt(
        database.admin_url or database.url,
        environment=environment,
        dry_run=option == DRY_RUN,
        directory=directory,
    )
    data = {"notice": outcome.notice, "system": outcome.system.name, "applied": list(outcome.applied)}
    return Answer(outcome.notice, (), data)


def _printed(name: str, text: str) -> Answer:
    return Answer("", (), {"sql": text}, file=Attachment(name, text))
