"""`queue`: what waits, what is stuck, and which locks are waited for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.commands._arguments import no_more
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.views.queue import queue_answer
from playbooks.checks.database import sees_all
from playbooks.queue import Facts, check, list_jobs
from services.domain.errors import Unavailable

if TYPE_CHECKING:
    from bot.facts import World


async def answer_queue(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    facts = await _gather(world)
    locks = None if isinstance(facts.lock_waits, Unavailable) else facts.lock_waits
    is_known = not isinstance(facts.waiting, Unavailable) and not isinstance(facts.running, Unavailable)
    as_of = None if isinstance(facts.queue, Unavailable) else facts.queue.as_of
    return queue_answer(check(facts), list_jobs(facts), locks, as_of=as_of, is_known=is_known)


async def _gather(world: World) -> Facts:
    async with asyncio.TaskGroup() as reads:
        queue = reads.create_task(world.queue())
        waiting = reads.create_task(world.oldest_pending())
        running = reads.create_task(world.running_jobs())
        locks = reads.create_task(world.lock_waits())
        server = reads.create_task(world.server())
    return Facts(
        stale_after=world.settings.stale_after,
        queue=queue.result(),
        waiting=waiting.result(),
        running=running.result(),
        lock_waits=locks.result(),
        all_visible=sees_all(server.result()),
    )


COMMAND = Command(
    name="queue",
    summary="waiting, running and orphaned jobs, and locks not granted",
    group="Jobs",
    handle=answer_queue,
    examples=("queue",),
)
