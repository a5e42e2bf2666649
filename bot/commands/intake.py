"""`intake [batch]`: the latest batches and intake events, or why rows of one batch failed."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.commands._arguments import no_more, wrong_word
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.views.findings import unavailable_answer
from bot.views.intake import batch_answer, intake_answer
from playbooks.intake import Facts, check, check_batch
from services.domain.errors import Unavailable

if TYPE_CHECKING:
    from bot.facts import World

BATCH = re.compile(r"[0-9a-f]{4,32}")


async def answer_intake(request: Request, world: World) -> Answer:
    no_more(request.words, 1)
    if request.words:
        return await _answer_batch(request.words[0], world)
    async with asyncio.TaskGroup() as reads:
        health = reads.create_task(world.intake_health())
        batches = reads.create_task(world.batches())
        events = reads.create_task(world.intake_events())
    facts = Facts(health.result(), batches.result(), events.result())
    shown_batches = None if isinstance(facts.batches, Unavailable) else facts.batches
    shown_events = None if isinstance(facts.events, Unavailable) else facts.events
    return intake_answer(check(facts), shown_batches, shown_events, now=datetime.now(UTC))


async def _answer_batch(word: str, world: World) -> Answer:
    found = await world.find_batches(_parse_batch(word))
    if isinstance(found, Unavailable):
        return unavailable_answer("intake", found)
    if len(found) != 1:
        why = "more than one batch begins with it" if found else "no batch begins with it"
        raise wrong_word(word, f"is not one batch: {why}", "Take an id from `intake`.")
    faults = await world.row_faults(found[0].id)
    return batch_answer(found[0], check_batch(found[0], faults), None if isinstance(faults, Unavailable) else faults)


def _parse_batch(word: str) -> str:
    """The beginning of a batch's id, as hexadecimal digits."""
    digits = word.lower().replace("-", "")
    if not BATCH.fullmatch(digits):
        raise wrong_word(word, "is not a batch", "Take an id from `intake`; its first 8 characters are enough.")
    return digits


COMMAND = Command(
    name="intake",
    summary="the latest batches and intake events, or why rows of one batch failed",
    group="Jobs",
    handle=answer_intake,
    usage="[batch]",
    examples=("intake", "intake 0a1b2c3d"),
)
