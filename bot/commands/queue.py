"""`queue`: lists pending and running jobs, and lock waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from bot.commands.arguments import no_more
from bot.types import Answer, Block, Request
from bot.views.blocks import since, table, without_equal
from bot.views.findings import as_of as as_of_note
from bot.views.findings import finding_data, findings_answer
from playbooks.checks.database import sees_all
from playbooks.model import Finding
from playbooks.queue import Facts, JobRow, check, list_jobs
from services.clients.postgres.operated import list_lock_waits, list_oldest_pending, list_running_jobs, list_unclaimed
from services.domain.errors import Unavailable
from services.domain.jobs import LockWait

if TYPE_CHECKING:
    from bot.world import World


COLUMNS = ("Job", "For", "State", "Type", "Attempts", "Worker")  # a phone shows the first 2 or 3
EQUAL = ("State", "Type", "Attempts", "Worker")  # left out if all jobs have the same value


def queue_answer(
    findings: Sequence[Finding],
    rows: Sequence[JobRow],
    locks: Sequence[LockWait] | None,
    *,
    as_of: datetime | None,
    is_known: bool = True,
) -> Answer:
    """`as_of`: the database's time; None if it could not be read, as for `locks`. `is_known`: the jobs could be read,
    so that empty `rows` mean that there are none."""
    cells = [
        (row.id[:8], since(row.since, as_of), row.state.value, row.job_type, str(row.attempts), row.worker or "")
        for row in rows
    ]
    data = finding_data("queue", findings) | {
        "as_of": as_of,
        "jobs": [asdict(row) for row in rows] if rows or is_known else None,
        "lock_waits": None if locks is None else [asdict(wait) for wait in locks],
    }
    notes = [as_of_note(as_of)] if as_of else []
    return findings_answer("queue", findings, data=data, notes=notes, extra=_table(cells))


def _table(cells: Sequence[Sequence[str]]) -> list[Block]:
    return table(*without_equal(COLUMNS, cells, EQUAL)) if cells else []


async def answer_queue(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    facts = await _gather(world)
    locks = None if isinstance(facts.lock_waits, Unavailable) else facts.lock_waits
    is_known = not isinstance(facts.waiting, Unavailable) and not isinstance(facts.running, Unavailable)
    as_of = None if isinstance(facts.queue, Unavailable) else facts.queue.as_of
    return queue_answer(check(facts), list_jobs(facts), locks, as_of=as_of, is_known=is_known)


async def _gather(world: World) -> Facts:
    system = world.system
    async with asyncio.TaskGroup() as reads:
        queue = reads.create_task(world.queue())
        waiting = reads.create_task(world.read(list_oldest_pending, limit=20))
        running = reads.create_task(world.read(list_running_jobs))
        locks = reads.create_task(world.read(list_lock_waits))
        server = reads.create_task(world.server())
        unclaimed = reads.create_task(world.read(list_unclaimed, job_types=system.job_types))
    return Facts(
        stale_after=world.settings.stale_after,
        queue=queue.result(),
        waiting=waiting.result(),
        running=running.result(),
        lock_waits=locks.result(),
        all_visible=sees_all(server.result()),
        system=system,
        unclaimed=unclaimed.result(),
    )
