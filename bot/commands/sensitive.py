"""Reads whose answers would help an attacker: each is a row of the audit log, written before anything is read."""

from __future__ import annotations

import getpass
import logging
from typing import TYPE_CHECKING

from bot.admission import times
from bot.types import Request, Verb
from services.clients.postgres.approvals import append_audit
from services.domain.errors import SourceError
from services.domain.masking import mask_message

if TYPE_CHECKING:
    from bot.world import World

logger = logging.getLogger(__name__)

READ = "read.sensitive"
TERMINAL = "terminal"
TIMEOUT_S = 1.5  # a person waits behind this, at night with a database that is away


async def record_read(verb: Verb, request: Request, world: World) -> str | None:
    """The sentence to add when it could not be recorded, else None. It is shown all the same: an outage is when people
    need it. Of a person who asks again and again one row per command and minute is written, with their number.
    """
    actor = request.actor
    who = actor.user_id if actor else TERMINAL
    if world.database is None:
        return NOT_RECORDED.format(why="no database is configured")
    count = world.audit_limit.count(who, verb.name)
    if count is None:
        return None
    by = {"team": actor.team_id} if actor else {"login": login()}
    details = {"command": verb.name, "words": mask_message(" ".join(request.words)), **by, **times(count)}
    try:
        async with world.database.transaction(timeout_s=TIMEOUT_S) as conn:
            await append_audit(conn, actor=who, event=READ, run_id=None, details=details)
    except SourceError as error:
        world.audit_limit.was_not_written(who, verb.name)
        logger.warning("`%s` was not recorded: %s", verb.name, error.why)
        return NOT_RECORDED.format(why=error.why)
    return None


NOT_RECORDED = "This was not recorded in the audit log: {why}."


def login() -> str:
    """Who is logged in on this machine, as far as it tells."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
