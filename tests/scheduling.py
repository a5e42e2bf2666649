"""Runs periodic tasks as the leader does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.leader import Fence
from bot.periodic_tasks import HeartbeatMonitor, PeriodicTask, Scheduler
from bot.web.metrics import Metrics


@asynccontextmanager
async def leading(fence: Fence, *tasks: PeriodicTask) -> AsyncIterator[asyncio.Task[None]]:
    """Run the tasks inside this block, and stop them at its end."""
    scheduler = Scheduler(tasks, metrics=Metrics(), monitor=HeartbeatMonitor())
    running = asyncio.create_task(scheduler.run(fence))
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
