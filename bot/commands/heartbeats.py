"""`heartbeats [service]`: each worker with its last heartbeat, job and commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.commands.arguments import listed, no_more, parse_service, wrong_word
from bot.facts.verify import gather_heartbeats
from bot.types import Answer, Block, Request
from bot.views.blocks import actions, context, fit_message, section, table, without_equal
from bot.views.findings import SIGN, as_of, finding_data, finding_line, step_button
from bot.views.text import escape
from bot.world import World
from playbooks import heartbeats
from playbooks.checks.heartbeats import limit_words
from playbooks.heartbeats import State, WorkerRow
from playbooks.model import Finding, Status, worst, wrong_first
from services.domain.services import Service, short_sha
from services.domain.systems import System
from services.domain.text import age, counted
from services.domain.thresholds import StaleLimits

MAX_SHOWN = 5  # findings above the table, which shows the rest
MAX_NAMED = 10  # workers named in the fallback text

COLUMNS = ("State", "Last beat", "Type", "Worker", "Status", "Job", "SHA")  # a phone shows the first 2 or 3
_SAME_FOR_ALL = ("Type", "Status")  # left out if all workers have the same value
_WORDS = {State.BEATING: "alive"}  # shown instead of the value, which `--json` prints
_SIGNS = {
    State.MISSING: SIGN[Status.FAIL],
    State.STALE: SIGN[Status.FAIL],
    State.FAILING: SIGN[Status.FAIL],
    State.DEGRADED: SIGN[Status.WARN],
    State.STUCK: SIGN[Status.WARN],
    State.BEATING: SIGN[Status.OK],
    State.REPLACED: "▫️",
}


def heartbeats_answer(
    findings: Sequence[Finding],
    rows: Sequence[WorkerRow],
    *,
    moment: datetime,
    stale_after: StaleLimits,
    stopped: int,
    system: System,
) -> Answer:
    """`rows`: in display order. `stopped`: number of workers that reported a stop, which have no row."""
    ordered = wrong_first(findings)
    shown, hidden = ordered[:MAX_SHOWN], len(ordered) - MAX_SHOWN
    lines = [*map(finding_line, shown), *([f"… {counted(hidden, 'more finding')}"] if hidden > 0 else [])]
    notes = [
        as_of(moment),
        f"stale after {limit_words(stale_after, system)}",
        *([f"{stopped} stopped"] if stopped else []),
    ]
    blocks = [section("\n".join(lines)), *(_table(rows, system) if rows else [])]
    blocks += [*actions(_buttons(ordered)), context(" · ".join(notes))]
    data = {**finding_data("heartbeats", findings), "as_of": moment.isoformat(), "workers": [_data(r) for r in rows]}
    return Answer(*fit_message(_text(lines, rows, system), blocks), data, worst(findings))


def _table(rows: Sequence[WorkerRow], system: System) -> list[Block]:
    return table(*without_equal(COLUMNS, [_cells(row, system) for row in rows], _SAME_FOR_ALL))


def _text(lines: Sequence[str], rows: Sequence[WorkerRow], system: System) -> str:
    """Fallback text for notifications and screen readers: the findings, then the first workers in words."""
    named = [
        _SIGNS[row.state] + " " + escape(" · ".join(_cells(row, system)[1:]), limit=200) for row in rows[:MAX_NAMED]
    ]
    more = [f"… {counted(len(rows) - MAX_NAMED, 'more worker')}"] if len(rows) > MAX_NAMED else []
    return "\n".join([*lines, *named, *more])


def _cells(row: WorkerRow, system: System) -> tuple[str, ...]:
    state, beat = f"{_SIGNS[row.state]} {_WORDS.get(row.state, row.state)}", row.beat
    if beat is None:
        return (state, "never", _type(row, system), "", "", "", "")
    last = f"{age(row.age)} ago" if row.age is not None else ""
    return (state, last, _type(row, system), beat.worker_id, beat.status, _job(row), short_sha(beat.git_sha))


def _type(row: WorkerRow, system: System) -> str:
    """The service's short name, as people type it; the type itself if this version does not know it."""
    service = system.service_of_worker(row.worker_type)
    return service.short if service else row.worker_type


def _job(row: WorkerRow) -> str:
    if row.beat is None or row.beat.current_job_id is None:
        return "idle"
    since = f" for {age(row.job_age)}" if row.job_age is not None else ""
    return row.beat.current_job_id[:8] + since


def _buttons(findings: Sequence[Finding]) -> list[dict[str, object]]:
    steps = dict.fromkeys(finding.next_step for finding in findings if finding.next_step)
    buttons = [step_button(step) for step in list(steps)[:MAX_SHOWN]]
    return [button for button in buttons if button is not None]


def _data(row: WorkerRow) -> dict[str, object]:
    beat = row.beat
    return {
        "state": row.state.value,
        "worker_type": row.worker_type,
        "worker_id": beat.worker_id if beat else None,
        "status": beat.status if beat else None,
        "age_s": round(row.age.total_seconds(), 1) if row.age is not None else None,
        "current_job_id": beat.current_job_id if beat else None,
        "job_age_s": round(row.job_age.total_seconds(), 1) if row.job_age is not None else None,
        "git_sha": beat.git_sha if beat else None,
        "database_ok": beat.database_ok if beat else None,
    }


async def handle(request: Request, world: World) -> Answer:
    services = parse(request.words, world.system)
    facts = await gather_heartbeats(world)
    return heartbeats_answer(
        heartbeats.check(facts, services),
        heartbeats.list_workers(facts, services),
        moment=facts.as_of,
        stale_after=facts.stale_after,
        stopped=heartbeats.stopped_count(facts, services),
        system=facts.system,
    )


def parse(words: Sequence[str], system: System) -> tuple[Service, ...]:
    """Parse one worker service, or all of them. Raises UsageError."""
    no_more(words, 1)
    if not words or words[0].lower() in ("workers", "all"):
        return system.workers
    service = parse_service(words[0])
    if service.worker_type is None:
        raise wrong_word(words[0], "has no heartbeat", f"Workers are {listed(system.workers)}; try `health`.")
    return (service,)
