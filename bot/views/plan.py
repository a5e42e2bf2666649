"""Plans that are no runs: the dry run, the steps by hand, the emergency stop, and the reason why there is no plan.

The steps by hand are for when Slack, where changes are approved, or the database, which stores runs, is away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bot.types import Answer, Block
from bot.views.blocks import actions, command_button, context, fit_message, section, sections
from bot.views.findings import step_button
from bot.views.text import code, escape, link, person
from playbooks.manual import by_hand
from playbooks.model import NoPlan, Risk, Status
from playbooks.plan import Plan, encode_plan
from playbooks.steps import Step
from services.domain.people import Person
from services.domain.runs import Run
from services.domain.services import Service, in_order
from services.domain.systems import System

LATER = "the run is recorded automatically once the database is back; `scale` starts the workers again"


class Content(NamedTuple):
    """A message: the fallback text, complete by itself, and the blocks."""

    text: str
    blocks: list[Block]


def stopping_notice(
    plan: Plan, requester: Person | None, reason: str, lines: Sequence[tuple[bool, str]] = ()
) -> Content:
    """The channel's message on an emergency stop. `lines`: as in `emergency_answer`; empty: in progress."""
    first = _first(plan.environment, lines)
    why = f": {escape(reason)}" if reason else ""
    asked = f"*Requested by* {person(requester)}{why}"
    what = "*Stops* " + " and ".join(service.short for service in in_order(plan.services))
    body = "\n".join([first, *(_lines(lines) or [what]), asked])
    return Content(f"{first}; {asked}", [section(body), context(LATER)])


def emergency_answer(environment: str, lines: Sequence[tuple[bool, str]], *, is_announced: bool) -> Answer:
    """The answer to an emergency stop. `lines`: (True if it is stopping, words), one per service. `is_announced`: the
    channel has its own message."""
    fine = all(is_stopping for is_stopping, _ in lines)
    first = _first(environment, lines)
    note = f"announced in the incidents channel; {LATER}" if is_announced else LATER
    data = {"stopping": fine, "services": [note for _, note in lines]}
    status = Status.OK if fine else Status.FAIL
    return Answer(
        first, [section("\n".join([first, *_lines(lines)])), context(note)], data, status, private=is_announced
    )


def joined_notice(run: Run) -> Content:
    """Replaces the message of a stop once its run has its own message."""
    text = f"🛑 *{escape(run.title)}* · {escape(run.environment)} · run {run.id}: its own message says how it ended"
    return Content(text, [section(text)])


def _first(environment: str, lines: Sequence[tuple[bool, str]]) -> str:
    fine = all(is_stopping for is_stopping, _ in lines)
    sign = "🛑 *STOPPING THE WORKERS*" if fine else "🔴 *NOT ALL WORKERS ARE STOPPING*"
    return f"{sign} · {escape(environment)} · without the database, so nothing is recorded yet"


def _lines(lines: Sequence[tuple[bool, str]]) -> list[str]:
    return [f"{'•' if is_stopping else '🔴'} {escape(note)}" for is_stopping, note in lines]


STEP_LIMIT = 200  # characters of one step's words
LINE_LIMIT = 500  # characters of one line of impact, warning or undo
NEEDS = {
    Risk.LOW: "low risk: the requester confirms it",
    Risk.HIGH: "high risk: another person has to approve it",
    Risk.CRITICAL: "critical: two people have to approve it by typing its name",
    Risk.BREAK_GLASS: "break-glass: runs immediately, is announced, and is reviewed afterwards",
}


def dry_run_answer(plan: Plan, line: str, manual: System | None = None) -> Answer:
    """The plan, without doing it. `line`: the command without `--dry-run`. `manual`: the operated system; then each
    step has instructions to do it by hand, for a terminal, because the bot itself may be down."""
    first = f"📝 *DRY RUN* · {escape(plan.environment)} · *{escape(plan.title, limit=LINE_LIMIT)}*"
    words = [_line(step, manual) if manual else escape(step.describe(), limit=STEP_LIMIT) for step in plan.steps]
    blocks = [
        section(first),
        *sections(plan_lines(plan.impact, plan.warnings, plan.undo)),
        *sections([f"{n}. {step}" for n, step in enumerate(words, start=1)]),
        *actions([command_button("Request it", line)]),
        context(f"nothing was done · {NEEDS[plan.risk]} · plan `{plan.hash[:12]}`"),
    ]
    by_hand_too = {"by_hand": _manual_steps(plan, manual)} if manual else {}
    data = encode_plan(plan) | {"hash": plan.hash, "dry_run": True} | by_hand_too
    return Answer(*fit_message(first, blocks), data)


def no_plan_answer(no_plan: NoPlan) -> Answer:
    """The reason why nothing will be done, and what to do instead; the first button is the recommended one."""
    first = f"⚪ *Nothing was done* · {escape(no_plan.why, limit=LINE_LIMIT)}"
    what_next = escape(f"{no_plan.what_next[:1].upper()}{no_plan.what_next[1:]}", limit=LINE_LIMIT)
    buttons = [button for button in map(step_button, no_plan.next_steps) if button]
    blocks = [section(f"{first}\n{what_next}"), *actions(buttons[:3])]
    text = f"{first}. {what_next}"
    data = {
        "why": no_plan.why,
        "what_next": no_plan.what_next,
        "next_steps": [{"label": step.label, "command": step.command} for step in no_plan.next_steps],
    }
    return Answer(*fit_message(text, blocks), data, Status.FAIL, private=True)


def plan_lines(impact: Sequence[str], warnings: Sequence[str], undo: str | None) -> list[str]:
    """Impact, warnings and undo, in mrkdwn."""
    lines = [f"• {escape(line, limit=LINE_LIMIT)}" for line in impact]
    lines += [f"⚠️ {escape(line, limit=LINE_LIMIT)}" for line in warnings]
    return [*lines, f"*Undo:* {code(undo, limit=LINE_LIMIT)}" if undo else "*Undo:* there is none."]


def primary(buttons: Sequence[Block]) -> list[Block]:
    """The buttons with the first one marked as recommended."""
    return [*({**button, "style": "primary"} for button in buttons[:1]), *buttons[1:]]


def manual_answer(plan: Plan, why: str, links: Mapping[Service, str], system: System) -> Answer:
    """The reason why nothing was done, and the steps by hand. `links`: the services' pages in Railway, if known."""
    first = f"🔴 *Nothing was done*: {escape(why, limit=LINE_LIMIT)}. *By hand:* {escape(plan.title, limit=LINE_LIMIT)}"
    lines = [f"{n}. {_line(step, system)}" for n, step in enumerate(plan.steps, start=1)]
    named = [service for service in in_order(plan.services) if service in links]
    pages = [f"{service.value}: {link(links[service], 'its page in Railway')}" for service in named]
    blocks = [
        section(first),
        *sections(plan_lines(plan.impact, plan.warnings, plan.undo)),
        *sections([*pages, *lines]),
        context("not approved: announce what you do, and why"),
    ]
    data = encode_plan(plan) | {"why": why, "by_hand": _manual_steps(plan, system)}
    return Answer(*fit_message(first, blocks), data, Status.FAIL, private=True)


def _manual_steps(plan: Plan, system: System) -> list[str]:
    """Data for `--json`: instructions for each step by hand, or the step's own words."""
    return [by_hand(step, system) or step.describe() for step in plan.steps]


def _line(step: Step, system: System) -> str:
    is_announced, how = escape(step.describe(), limit=LINE_LIMIT), by_hand(step, system)
    return f"{is_announced}\n      {escape(how, limit=LINE_LIMIT)}" if how else is_announced
