"""`why <alert|run|refusal>`: why people were told or not, why a run stands as it does, why somebody was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.alerts import names
from bot.commands._arguments import no_more
from bot.commands._contract import Answer, Request
from bot.commands._runs import need_record, parse_run
from bot.commands._verbs import Command
from bot.commands.silence import need_what
from bot.facts.alerts import read_histories, read_silences
from bot.facts.journal import read_audit
from bot.views.findings import unavailable_answer
from bot.views.why import refusals_answer, why_answer
from bot.views.why_alert import why_alert_answer
from services.domain.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from bot.facts import World

DECISIONS = 12  # of one alert
LOOKED_AT = 500  # newest rows of the audit log in which refusals are looked for
REFUSAL = "refusal"


async def answer_why(request: Request, world: World) -> Answer:
    if not request.words:
        what_next = "Write `why heartbeats.ingest`, `why 12` or `why refusal`."
        raise UsageError("Why what?", why="nothing is named", what_next=what_next)
    if request.words[0].lower() in (REFUSAL, f"{REFUSAL}s"):
        no_more(request.words, 1)
        rows = await read_audit(world, limit=LOOKED_AT)
        return unavailable_answer("refusals", rows) if isinstance(rows, Unavailable) else refusals_answer(rows)
    if not request.words[0].removeprefix("#").isdigit():
        return await _answer_alert(request, world)
    run_id = parse_run(request.words, "why 12")
    record = await need_record(world, run_id)
    return unavailable_answer(f"run {run_id}", record) if isinstance(record, Unavailable) else why_answer(record)


async def _answer_alert(request: Request, world: World) -> Answer:
    no_more(request.words, 1)
    what = need_what(request.words[0])
    histories = await read_histories(world, names.covered(what), limit=DECISIONS)
    if isinstance(histories, Unavailable):
        return unavailable_answer(f"decisions about {what}", histories)
    silences = await read_silences(world)
    known = [] if isinstance(silences, Unavailable) else silences
    about = [one for one in known if set(names.covered(one.what)) & set(names.covered(what))]
    return why_alert_answer(what, histories, about)


COMMAND = Command(
    name="why",
    summary="why people were told of an alert or not, why a run stands as it does, why somebody was refused",
    group="Runs",
    handle=answer_why,
    usage="<alert|run|refusal>",
    examples=("why heartbeats.ingest", "why 12", "why refusal"),
    private=True,
)
