"""`history [window] [service]`: charts of queue, throughput, latency, memory and heartbeats."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.commands.arguments import parse_window_and_service, wrong_word
from bot.types import Answer, Request
from bot.views.findings import unavailable_answer
from bot.views.history import history_answer
from bot.views.pictures import CELLS
from services.clients.postgres.history import read_newest_history
from services.domain.errors import Unavailable
from services.domain.history import KEPT
from services.domain.text import age

if TYPE_CHECKING:
    from bot.world import World

DAY = timedelta(days=1)
SMALLEST = timedelta(hours=1)  # a step must hold a recorded minute


async def answer_history(request: Request, world: World) -> Answer:
    window, service = parse_window_and_service(request.words, default=DAY, largest=KEPT)
    if window < SMALLEST:
        raise wrong_word(age(window), "is too short", f"Use {age(SMALLEST)} to {age(KEPT)}.")
    found = await world.read(read_newest_history, window=window, cells=CELLS)
    if isinstance(found, Unavailable):
        return unavailable_answer("history", found)
    return history_answer(found, environment=world.settings.environment, system=world.system, service=service)
