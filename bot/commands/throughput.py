"""`throughput [window]`: jobs completed and failed in each minute."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.commands._arguments import parse_window
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.views.throughput import throughput_answer
from playbooks.throughput import check, summarise
from services.domain.errors import Unavailable

if TYPE_CHECKING:
    from bot.facts import World


async def answer_throughput(request: Request, world: World) -> Answer:
    window = parse_window(request.words, default=timedelta(minutes=10), largest=timedelta(days=7))
    minutes = await world.throughput(window)
    if isinstance(minutes, Unavailable):
        return throughput_answer(check(minutes), None, window)
    throughput = summarise(minutes, window)
    return throughput_answer(check(throughput), throughput, window)


COMMAND = Command(
    name="throughput",
    summary="jobs completed and failed, minute by minute",
    group="Jobs",
    handle=answer_throughput,
    usage="[window]",
    examples=("throughput", "throughput 2h"),
)
