"""Audit rows for reads whose answers would help an attacker; written before anything is read."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.admission import times
from bot.types import Request, Verb
from services.domain.errors import SourceError
from services.domain.masking import mask_message

if TYPE_CHECKING:
    from bot.world import World

logger = logging.getLogger(__name__)

READ, RAW_REFUSED = "read.sensitive", "raw.refused"
TERMINAL = "terminal"
TIMEOUT_S = 1.5  # a person waits for this, perhaps while the database is away


async def record_read(verb: Verb, request: Request, world: World) -> str | None:
    """Record a sensitive read. Returns a sentence for the answer if that failed, else None. The answer is shown anyway,
    because people need it in an outage. Repeated equal reads of a person are one row per minute, with their count.
    """
    actor = request.actor
    who = actor.user_id if actor else TERMINAL
    by = {"team": actor.team_id} if actor else {"login": login()}
    return await _record(READ, who, verb, request, world, by)


async def record_raw_refusal(verb: Verb, request: Request, world: World) -> None:
    """Record that a person in Slack used `--raw`, which is for the terminal only."""
    if request.actor is not None:
        by = {"team": request.actor.team_id, "why": "`--raw` is for the terminal only"}
        await _record(RAW_REFUSED, request.actor.user_id, verb, request, world, by)


async def _record(
    event: str, who: str, verb: Verb, request: Request, world: World, by: Mapping[str, str]
) -> str | None:
    """Append the audit row; returns a sentence if that failed. Imported here: most reads are not recorded."""
    from services.clients.postgres.audit import append_audit

    if world.database is None:
        return NOT_RECORDED.format(why="no database is configured")
    words = mask_message(" ".join(request.words))
    act = f"{event} {verb.name} {words}"  # other words are another act
    details = {"command": verb.name, "words": words, **by}
    try:
        with world.audit_limit.counting() as count:
            if (due := count(who, act)) is None:
                return None
            async with world.database.transaction(timeout_s=TIMEOUT_S) as conn:
                await append_audit(conn, actor=who, event=event, run_id=None, details=details | times(due))
    except SourceError as error:
        logger.warning("`%s` was not recorded: %s", verb.name, error.why)
        return NOT_RECORDED.format(why=error.why)
    return None


NOT_RECORDED = "This was not recorded in the audit log: {why}."


def login() -> str:
    """Login name on this machine; "unknown" if the machine does not report one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
