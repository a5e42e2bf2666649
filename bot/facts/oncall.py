"""Reads who is on call: the file, and who stands in for whom."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.facts._world import World
from bot.settings import Invalid
from playbooks.checks import oncall
from services.domain.errors import Unavailable
from services.domain.oncall import KnownOverrides, Schedule


async def gather_oncall(world: World) -> tuple[oncall.Facts, KnownOverrides]:
    """The facts of the check, and how old those of the database are."""
    known = await world.overrides()
    return oncall.Facts(usable_schedule(world), known.rows, datetime.now(UTC)), known


def usable_schedule(world: World) -> Schedule | Unavailable | None:
    """None without an on-call file; why it cannot be used when it has a mistake."""
    schedule = world.schedule
    return Unavailable("on-call file", schedule.why) if isinstance(schedule, Invalid) else schedule
