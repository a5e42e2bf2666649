"""`failed-jobs [window]`: what failed, by job type and kind of error."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.commands._arguments import parse_window, take_raw
from bot.commands._contract import Answer, Request
from bot.commands._raw import record_raw, reveal_until
from bot.commands._verbs import Command
from bot.views.failed_jobs import failed_jobs_answer, unknown_answer
from bot.views.text import plain
from playbooks.failed_jobs import group
from services.domain.errors import Unavailable
from services.domain.masking import template

if TYPE_CHECKING:
    from bot.facts import World

GROUPED = 1000  # the newest failures that are grouped; the count is of all
RAW_LIMIT = 2000  # characters of an unmasked error


async def answer_failed_jobs(request: Request, world: World) -> Answer:
    words, is_raw = take_raw(request)
    window = parse_window(words, default=timedelta(hours=1), largest=timedelta(days=30))
    notice = await record_raw(world, "failed-jobs", tuple(words)) if is_raw else None
    async with asyncio.TaskGroup() as reads:
        jobs = reads.create_task(world.failed_jobs(window, limit=GROUPED))
        count = reads.create_task(world.failed_job_count(window))
    listed, total = jobs.result(), count.result()
    if isinstance(listed, Unavailable):
        return unknown_answer(listed, window)
    # In a thread: masking hundreds of long errors takes longer than Slack waits for the next acknowledgement.
    shape, show = (_raw, _raw) if is_raw else (template, world.settings.log_privacy.mask)
    groups = await asyncio.to_thread(group, listed, shape=shape, show=show)
    known_total = len(listed) if isinstance(total, Unavailable) else max(total, len(listed))
    return failed_jobs_answer(
        groups, total=known_total, window=window, is_raw=is_raw, reveal_until=reveal_until(), notice=notice
    )


def _raw(error: str) -> str:
    return plain(error, limit=RAW_LIMIT)


COMMAND = Command(
    name="failed-jobs",
    summary="failed jobs by type and kind of error",
    group="Jobs",
    handle=answer_failed_jobs,
    usage="[window]",
    examples=("failed-jobs", "failed-jobs 2d"),
    private=True,
)
