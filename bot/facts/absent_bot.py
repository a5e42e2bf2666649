"""Asks, for a terminal, whether a bot is there to post messages, page people and execute runs."""

from __future__ import annotations

from datetime import timedelta

from bot.world import World
from services.clients.postgres.leases import LEADER, read_idle_time
from services.domain.errors import Unavailable
from services.domain.text import age

GRACE = timedelta(minutes=1)  # a deployment of the bot, or a replica that takes over, is no absence


async def read_absence(world: World) -> timedelta | None:
    """Return how long no replica of the bot has led.

    None in the bot itself, while one leads or takes over, if none ever did, and if the database does not answer.
    """
    if world.bot_state is not None:
        return None
    idle = await world.read(read_idle_time, name=LEADER)
    return None if idle is None or isinstance(idle, Unavailable) or idle < GRACE else idle


async def why_absent(world: World) -> str | None:
    """The same in words, "the bot is not running: last active 12 min ago"."""
    absence = await read_absence(world)
    return None if absence is None else f"the bot is not running: last active {age(absence)} ago"
