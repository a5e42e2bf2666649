"""`failed-jobs [window]`: failed jobs, grouped by job type and kind of error."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.commands.arguments import parse_window, take_raw
from bot.commands.reveal import record_raw, reveal_buttons, reveal_until
from bot.types import Answer, Block, Request
from bot.views.blocks import actions, command_button, context, fit_message, section
from bot.views.findings import SIGN, WORD, unavailable_answer
from bot.views.text import code, date_token, escape, plain
from playbooks.failed_jobs import FailureGroup, group
from playbooks.model import Status
from services.clients.postgres.operated import count_failed_jobs, list_failed_jobs
from services.domain.errors import Unavailable
from services.domain.masking import template
from services.domain.privacy import is_masked
from services.domain.systems import System
from services.domain.text import age, counted
from services.domain.thresholds import MANY_FAILED

if TYPE_CHECKING:
    from bot.world import World


ERROR_LIMIT = 300  # characters of one template
RAW_LIMIT = 2500  # characters of one unmasked error, on the terminal
GROUPS_SHOWN = 15
EXPLAIN = "ask why do jobs fail?"
MASKED = "“…” hides data. To see the whole error, press the button below, or run `dragonfly failed-jobs --raw`."


def failed_jobs_answer(
    groups: Sequence[FailureGroup],
    *,
    total: int,
    window: timedelta,
    is_raw: bool = False,
    reveal_until: int = 0,
    notice: str | None = None,
    system: System,
) -> Answer:
    """`total`: number of failed jobs; the groups may hold only the newest. `is_raw`: the errors are not masked, and
    `notice` says if that could not be recorded. `reveal_until`: Unix time until which the buttons work."""
    status = Status.OK if total == 0 else Status.WARN if total < MANY_FAILED else Status.FAIL
    headline = f"{SIGN[status]} *{WORD[status]}* · {_count(groups, total, window)}"
    blocks = [section(headline), *(_group_block(group, is_raw=is_raw) for group in groups[:GROUPS_SHOWN])]
    reveal = [] if is_raw else _reveal(groups, reveal_until)
    notes = [*_notes(groups, total), *([MASKED] if reveal else []), *filter(None, [notice])]
    blocks += [context(*notes)] if notes else []
    blocks += reveal
    explain = [command_button("Explain", EXPLAIN)] if groups else []
    blocks += actions([*explain, command_button("Queue", "queue"), *_log_buttons(groups, system)])
    listed = [asdict(group) | ({} if is_raw else {"key": group.key}) for group in groups]
    data = {"window_s": window.total_seconds(), "total": total, "groups": listed}
    text, fitted = fit_message(headline, blocks)
    return Answer(text, blocks if is_raw else fitted, data, status, private=True)


def unknown_answer(reason: Unavailable, window: timedelta) -> Answer:
    """The answer if the failed jobs are unknown: `total` and `groups` are null, not 0."""
    answer = unavailable_answer("failed jobs", reason)
    known = answer.data if isinstance(answer.data, dict) else {}
    return replace(answer, data=known | {"window_s": window.total_seconds(), "total": None, "groups": None})


def _count(groups: Sequence[FailureGroup], total: int, window: timedelta) -> str:
    if not total:
        return f"0 jobs failed in the last {age(window)}"
    ways = f", in {len(groups)} ways" if len(groups) > 1 else ""
    return f"{counted(total, 'job')} failed in the last {age(window)}{ways}"


def _group_block(group: FailureGroup, *, is_raw: bool) -> Block:
    """One group with its requeue button; no button with `is_raw`, since the group's key is made from masked errors."""
    limit = RAW_LIMIT if is_raw else ERROR_LIMIT
    kind = f" · {escape(group.error_class, limit=80)}" if group.error_class else ""
    fewest, most = group.attempts
    attempts = str(most) if fewest == most else f"{fewest} to {most}"
    ids = ", ".join(code(job_id, limit=60) for job_id in group.sample_ids)
    lines = (
        f"*{group.count} of {escape(group.job_type, limit=80)}*{kind}",
        escape(group.sample, limit=limit),
        f"first {date_token(group.first_at)}, last {date_token(group.last_at)} · attempts: {attempts} · {ids}",
    )
    button = None if is_raw else command_button("Requeue", f"requeue {group.key}")
    return section("\n".join(lines), accessory=button)


def _reveal(groups: Sequence[FailureGroup], until: int) -> list[Block]:
    """Buttons that show a group's newest masked error in full to people with permission."""
    masked = [group for group in groups[:GROUPS_SHOWN] if is_masked(group.sample)]
    items = [(f"{group.job_type}: {group.sample}", f"job {group.sample_ids[0]}") for group in masked]
    return reveal_buttons(items, until=until)


def _log_buttons(groups: Sequence[FailureGroup], system: System) -> list[Block]:
    """One button for each service whose jobs failed."""
    failing = {system.service_of_job(group.job_type) for group in groups}
    shorts = [service.short for service in system.workers if service in failing]
    return [command_button(f"Logs of {short}", f"logs {short} @level:error") for short in shorts]


def _notes(groups: Sequence[FailureGroup], total: int) -> list[str]:
    shown = groups[:GROUPS_SHOWN]
    grouped = sum(group.count for group in groups)
    notes = [f"… {counted(len(groups) - len(shown), 'more group')}"] if len(groups) > len(shown) else []
    return [*notes, *([f"Grouped are the newest {grouped} of {total}."] if grouped < total else [])]


GROUPED = 1000  # the newest failures, which are grouped; the total counts all
FAILED_JOBS_RAW_LIMIT = 2000  # characters of an unmasked error


async def answer_failed_jobs(request: Request, world: World) -> Answer:
    words, is_raw = take_raw(request)
    window = parse_window(words, default=timedelta(hours=1), largest=timedelta(days=30))
    notice = await record_raw(world, "failed-jobs", tuple(words)) if is_raw else None
    async with asyncio.TaskGroup() as reads:
        jobs = reads.create_task(world.read(list_failed_jobs, window=window, limit=GROUPED))
        count = reads.create_task(world.read(count_failed_jobs, window=window))
    listed, total = jobs.result(), count.result()
    if isinstance(listed, Unavailable):
        return unknown_answer(listed, window)
    # In a thread: masking hundreds of long errors takes longer than Slack waits for the next acknowledgement.
    shape, show = (_raw, _raw) if is_raw else (template, world.settings.log_privacy.mask)
    groups = await asyncio.to_thread(group, listed, shape=shape, show=show)
    known_total = len(listed) if isinstance(total, Unavailable) else max(total, len(listed))
    return failed_jobs_answer(
        groups,
        total=known_total,
        window=window,
        is_raw=is_raw,
        reveal_until=reveal_until(),
        notice=notice,
        system=world.system,
    )


def _raw(error: str) -> str:
    return plain(error, limit=FAILED_JOBS_RAW_LIMIT)
