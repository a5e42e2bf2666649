"""A plan before it is a run: the dry run, and why there is no plan."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Answer, Block
from bot.views.blocks import actions, command_button, context, section, sections
from bot.views.findings import step_button
from bot.views.message import fit_message
from bot.views.steps import step_words
from bot.views.text import code, escape
from playbooks._contract import NoPlan, Plan, Risk, Status, encode_plan

STEP_LIMIT = 200  # characters of one step's words
LINE_LIMIT = 500  # and of one line of impact, warning or undo
NEEDS = {
    Risk.LOW: "low risk: whoever asks confirms it",
    Risk.HIGH: "high risk: somebody else has to approve it",
    Risk.CRITICAL: "critical: two people have to approve it, and type its name",
    Risk.BREAK_GLASS: "break-glass: runs at once, is announced, and is reviewed afterwards",
}


def dry_run_answer(plan: Plan, line: str) -> Answer:
    """What would happen; nothing does. `line` is the command without `--dry-run`."""
    first = f"📝 *DRY RUN* · {escape(plan.environment)} · *{escape(plan.title, limit=LINE_LIMIT)}*"
    blocks = [
        section(first),
        *sections(plan_lines(plan.impact, plan.warnings, plan.undo)),
        *sections([f"{n}. {escape(step_words(step), limit=STEP_LIMIT)}" for n, step in enumerate(plan.steps, start=1)]),
        *actions([command_button("Ask for it", line)]),
        context(f"nothing was done · {NEEDS[plan.risk]} · plan `{plan.hash[:12]}`"),
    ]
    data = encode_plan(plan) | {"hash": plan.hash, "dry_run": True}
    return Answer(*fit_message(first, blocks), data)


def no_plan_answer(no_plan: NoPlan) -> Answer:
    """Why nothing will be done, and what to do instead; the first step is the recommended one."""
    first = f"⚪ *Nothing was done* · {escape(no_plan.why, limit=LINE_LIMIT)}"
    buttons = [button for button in map(step_button, no_plan.next_steps) if button]
    blocks = [section(f"{first}\n{escape(no_plan.what_next, limit=LINE_LIMIT)}"), *actions(buttons[:3])]
    text = f"{first}. {escape(no_plan.what_next, limit=LINE_LIMIT)}"
    data = {
        "why": no_plan.why,
        "what_next": no_plan.what_next,
        "next_steps": [{"label": step.label, "command": step.command} for step in no_plan.next_steps],
    }
    return Answer(*fit_message(text, blocks), data, Status.FAIL, private=True)


def plan_lines(impact: Sequence[str], warnings: Sequence[str], undo: str | None) -> list[str]:
    """Blast radius, warnings and the way back, in mrkdwn."""
    lines = [f"• {escape(line, limit=LINE_LIMIT)}" for line in impact]
    lines += [f"⚠️ {escape(line, limit=LINE_LIMIT)}" for line in warnings]
    return [*lines, f"*Undo:* {code(undo, limit=LINE_LIMIT)}" if undo else "*Undo:* there is none."]


def primary(buttons: Sequence[Block]) -> list[Block]:
    """The same buttons, the first of them the recommended one."""
    return [*({**button, "style": "primary"} for button in buttons[:1]), *buttons[1:]]
