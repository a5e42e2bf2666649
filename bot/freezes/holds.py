"""Finds the freezes that hold a run back, in the transaction that starts it and before its first act."""

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
    """True if freezes hold such a change back. Changes that restore a service are never held back."""
    change = CHANGES.get(run.playbook)
    return change is not None and change.held_by_freezes


async def why_frozen(conn: Connection, run: Run, *, name_of: Callable[[str], str]) -> str | None:
    """Describe the freezes that hold the run back; None if there are none, or freezes do not apply to such a change.

    No freeze can be stored from here to the end of the transaction, so that a run starting in it passes none. `name_of`
    returns the name of a Slack id. Raises SourceError: if freezes can't be read, the run does not start.
    """
    if not can_be_frozen(run):
        return None
    await share_freezes(conn)
    now = await read_clock(conn)
    named = [replace(one, owner_name=name_of(one.owner)) for one in await list_freezes(conn)]
    held = in_the_way(named, decode_plan(run.plan), now)
    return listed(held, now) if held else None
