"""Runs the endless loops of a process; an unexpected error restarts a loop instead of ending it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from services.process import describe_error

logger = logging.getLogger(__name__)

AGAIN_AFTER_S = 1.0


def keep_running(
    *loops: Callable[[], Coroutine[Any, Any, None]], again_after_s: float = AGAIN_AFTER_S
) -> list[asyncio.Task[None]]:
    """Start one task per loop; the caller cancels them. A loop that fails is logged and restarted, because its end
    would go unnoticed."""
    return [asyncio.create_task(_keep_running(loop, again_after_s)) for loop in loops]


async def _keep_running(loop: Callable[[], Coroutine[Any, Any, None]], again_after_s: float) -> None:
    while True:
        try:
            await loop()
        except Exception as error:
            # The error's message may hold an address.
            logger.error("%s failed and was restarted: %s", loop.__qualname__, describe_error(error))  # noqa: TRY400
        else:
            return
        await asyncio.sleep(again_after_s)
