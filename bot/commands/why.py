"""`why <run|refusal>`: why a run stands as it does, or why somebody was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.commands._arguments import no_more
from bot.commands._contract import Answer, Command, Request
from bot.commands._runs import need_record, parse_run
from bot.facts.journal import read_audit
from bot.views.findings import unavailable_answer
from bot.views.why import refusals_answer, why_answer
from services.domain.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from bot.facts import World

LOOKED_AT = 500  # newest rows of the audit log in which refusals are looked for
REFUSAL = "refusal"


async def answer_why(request: Request, world: World) -> Answer:
    if not request.words:
        raise UsageError("Why what?", why="nothing is named", what_next="Write `why 12` or `why refusal`.")
    if request.words[0].lower() in (REFUSAL, f"{REFUSAL}s"):
        no_more(request.words, 1)
        rows = await read_audit(world, limit=LOOKED_AT)
        return unavailable_answer("refusals", rows) if isinstance(rows, Unavailable) else refusals_answer(rows)
    run_id = parse_run(request.words, "why 12")
    record = await need_record(world, run_id)
    return unavailable_answer(f"run {run_id}", record) if isinstance(record, Unavailable) else why_answer(record)


COMMAND = Command(
    name="why",
    summary="why a run stands as it does, or why somebody was refused",
    group="Runs",
    handle=answer_why,
    usage="<run|refusal>",
    examples=("why 12", "why refusal"),
    private=True,
)
