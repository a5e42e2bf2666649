"""Whether a freeze holds a run back: asked in the transaction that starts it, and before its first act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot.changes import CHANGES
from playbooks.freeze import in_the_way
from playbooks.plan import decode_plan
from services.clients.postgres.freezes import list_freezes, share_freezes
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import read_clock
from services.domain.freezes import listed
from services.domain.runs import Run


def can_be_frozen(run: Run) -> bool:
    """Whether any freeze holds such a change back; what brings a service back, none does."""
    change = CHANGES.get(run.playbook)
    return change is not None and change.held_by_freezes


async def why_frozen(conn: Connection, run: Run, *, name_of: Callable[[str], str]) -> str | None:
    """The freezes in its way, in words; None when there are none, or none can hold such a change back.

    No freeze is stored from here to the end of the transaction, so that none is passed by a run that starts in it.
    `name_of`: what people call a Slack id. Raises SourceError: what can't be read lets nothing begin.
    """
    if not can_be_frozen(run):
        return None
    await share_freezes(conn)
    now = await read_clock(conn)
    named = [replace(one, owner_name=name_of(one.owner)) for one in await list_freezes(conn)]
    held = in_the_way(named, decode_plan(run.plan), now)
    return listed(held, now) if held else None
