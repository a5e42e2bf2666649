"""What was shown whole is written into the audit log: who, which line, when; never the line itself."""

from __future__ import annotations

import getpass
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from services.domain.errors import SourceError
from services.domain.masking_messages import mask_message
from services.postgres.audit import append_audit

if TYPE_CHECKING:
    from bot.facts import World
    from services.postgres.pool import Database

logger = logging.getLogger(__name__)

REVEALED, REFUSED, RAW = "line.revealed", "line.reveal.refused", "raw.shown"
NOT_RECORDED = "This was not written into the audit log: {why}."
VALID_S = 15 * 60  # how long a button works
_TIMEOUT_S = 3.0  # a person waits behind this


async def record_reveal(database: Database, actor: str, event: str, details: Mapping[str, object]) -> None:
    """Raises SourceError: what is not recorded is not shown."""
    async with database.transaction(timeout_s=_TIMEOUT_S) as conn:
        await append_audit(conn, actor=actor, event=event, run_id=None, details=details)


async def record_raw(world: World, command: str, words: tuple[str, ...]) -> str | None:
    """That a terminal was shown whole lines. The sentence to add when it could not be recorded, else None.

    It is shown all the same: whoever types it has the tokens with which to read them elsewhere.
    """
    details = {"command": command, "words": mask_message(" ".join(words)), "login": _login()}
    if world.database is None:
        return NOT_RECORDED.format(why="no database is configured")
    try:
        await record_reveal(world.database, "terminal", RAW, details)
    except SourceError as error:
        logger.warning("`%s --raw` was not recorded: %s", command, error.why)
        return NOT_RECORDED.format(why=error.why)
    return None


def reveal_until() -> int:
    """The Unix time until which a button works that is shown now."""
    return int(time.time()) + VALID_S


def _login() -> str:
    """Who is logged in on this machine, as far as it tells."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
