"""`drill`: rehearses a page, from a simulated worker without heartbeats to a person's acknowledgement."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.changes import DRY_RUN
from bot.commands.arguments import no_more, wrong_word
from bot.commands.context import need_database, need_right
from bot.config.environment import Settings
from bot.config.policy import DRILL
from bot.repeats import check_repeat
from bot.types import Answer, Request
from bot.views.drill import offer_answer, started_answer, under_way_answer
from bot.writes import note_done, write
from services.clients.postgres import alerts
from services.clients.postgres.audit import append_audit
from services.clients.postgres.listen import notify_refresh
from services.domain.alerts import DRILL_WORKER
from services.domain.people import Person

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.world import World
    from services.clients.postgres.pool import Database


START, SHOWN_BY = "start", "drill"
LEAD = timedelta(seconds=5)  # the alert evaluator reads the simulated worker once while it still beats, like a real one


async def answer_drill(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    no_more(request.words, 1)
    if not request.words or request.words[0] == DRY_RUN:
        return await _offer(need_database(world), world.settings)
    if request.words[0].lower() != START:
        raise wrong_word(request.words[0], "is not an option of `drill`", "Write `drill`, then `drill start`.")
    person = await need_right(DRILL, (), request, world, approval_service, failed="No drill was started")
    return await _start(need_database(world), person, request.delivery, world.settings.stale_after.of(DRILL_WORKER))


async def _offer(database: Database, settings: Settings) -> Answer:
    async with database.read() as conn:
        open_drill, last = await alerts.read_open_drill(conn), await alerts.read_last_drill(conn)
    return under_way_answer(open_drill) if open_drill else offer_answer(settings.outside_targets, last)


async def _start(database: Database, person: Person, delivery: str | None, stale_after: timedelta) -> Answer:
    async with write(database, delivery, shown_by=SHOWN_BY) as conn:
        drill = await alerts.begin_drill(conn, person=person, lead=LEAD, stale_after=stale_after)
        if drill is not None:
            await note_done(conn, delivery, shown_by=SHOWN_BY)
            await check_repeat(conn, person, "drill.started", failed="No drill was started")
            await notify_refresh(conn)
            await append_audit(
                conn, actor=person.user_id, event="drill.started", run_id=None, details={"drill": drill.id}
            )
        under_way = await alerts.read_open_drill(conn)
    if drill is None and under_way is not None:
        return under_way_answer(under_way)
    assert drill is not None  # noqa: S101 - None only if another drill is open
    return started_answer(drill)
