"""`runs` and `run <id>`: lists requested changes with their outcomes, and shows all about one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.commands.arguments import no_more, read_number
from bot.commands.context import need_record, parse_run
from bot.types import Answer, Request
from bot.views.findings import unavailable_answer
from bot.views.runs import record_answer, runs_answer
from services.clients.postgres.pool import Connection
from services.clients.postgres.runs import list_open_runs, list_runs
from services.domain.errors import Unavailable
from services.domain.runs import Run

if TYPE_CHECKING:
    from bot.world import World


SHOWN = 20


async def answer_runs(request: Request, world: World) -> Answer:
    """List the runs; with a number, show everything about that run."""
    if request.words and read_number(request.words[0]) is not None:
        return await answer_run(request, world)
    no_more(request.words, 0)
    found = await world.read(_read_runs)
    if isinstance(found, Unavailable):
        return unavailable_answer("runs", found)
    return runs_answer(found, now=datetime.now(UTC))


async def _read_runs(conn: Connection) -> list[Run]:
    """Read the newest runs, and older ones that are open."""
    newest = await list_runs(conn, limit=SHOWN)
    shown = {run.id for run in newest}
    return [*newest, *(run for run in await list_open_runs(conn) if run.id not in shown)]


async def answer_run(request: Request, world: World) -> Answer:
    run_id = parse_run(request.words, "run 12")
    found = await need_record(world, run_id)
    if isinstance(found, Unavailable):
        return unavailable_answer(f"run {run_id}", found)
    return record_answer(found)
