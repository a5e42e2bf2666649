"""`intake`: the latest batches and intake events."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.commands._arguments import no_more
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.views.intake import intake_answer
from playbooks.intake import Facts, check
from services.domain.errors import Unavailable

if TYPE_CHECKING:
    from bot.facts import World


async def answer_intake(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    async with asyncio.TaskGroup() as reads:
        health = reads.create_task(world.intake_health())
        batches = reads.create_task(world.batches())
        events = reads.create_task(world.intake_events())
    facts = Facts(health.result(), batches.result(), events.result())
    shown_batches = () if isinstance(facts.batches, Unavailable) else facts.batches
    shown_events = () if isinstance(facts.events, Unavailable) else facts.events
    return intake_answer(check(facts), shown_batches, shown_events, now=datetime.now(UTC))


COMMAND = Command(
    name="intake",
    summary="the latest batches and intake events",
    group="Jobs",
    handle=answer_intake,
    examples=("intake",),
)
