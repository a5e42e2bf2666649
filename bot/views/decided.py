"""What the one who clicked reads: usually nothing but the run's own message, and why when it did not count."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Answer
from bot.views.blocks import actions, section
from bot.views.findings import step_button
from bot.views.message import fit_message
from bot.views.plain import mrkdwn_text
from bot.views.run import sign
from bot.views.runs import run_data
from bot.views.text import escape
from playbooks._contract import NextStep, Status
from services.domain.runs import Run
from services.domain.words import counted


def decided_answer(run: Run, *, missing: int, notes: Sequence[str]) -> Answer:
    """It counted. `missing`: approvals that are needed still; `notes` are mrkdwn."""
    more = f" {counted(missing, 'approval')} still missing." if missing else ""
    told = "".join(f" {note}." for note in notes)
    first = f"{sign(run)} · run {run.id} · {escape(run.title, limit=500)}.{more}{told}"
    return Answer(*fit_message(first, [section(first)]), run_data(run), private=True)


def refused_answer(sentence: str, look: NextStep) -> Answer:
    """It did not count. `sentence` is our own mrkdwn: why, and who could, mentions included. `look`: what to press."""
    first = f"🔴 *Your click changed nothing*: {sentence}"
    button = step_button(look)
    blocks = [section(first), *actions([button] if button else [])]
    return Answer(*fit_message(first, blocks), {"refused": mrkdwn_text(sentence)}, Status.FAIL, private=True)
