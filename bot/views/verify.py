"""The runbook's verification steps as an answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.types import Answer, Block
from bot.views.blocks import context, fit_message, section
from bot.views.findings import SIGN, as_of, finding_data, finding_line, step_button
from bot.views.text import escape
from playbooks.model import Status, wrong_first
from playbooks.verify import Step


def verify_answer(status: Status, sentence: str, steps: Sequence[Step], *, moment: datetime) -> Answer:
    """The verdict and its steps. `sentence`: the verdict in one line."""
    first = f"{SIGN[status]} *{escape(sentence, limit=300)}*"
    blocks: list[Block] = [section(first), *map(step_section, steps), context(as_of(moment))]
    lines = [finding_line(finding) for step in steps for finding in step.findings]
    findings = [finding for step in steps for finding in step.findings]
    data = {**finding_data(sentence, findings), "as_of": moment.isoformat()}
    return Answer(*fit_message("\n".join([first, *lines]), blocks), data, status)


def step_section(step: Step) -> Block:
    """One verification step: its findings, problems first, and the first next step as a button."""
    found = wrong_first(step.findings)
    lines = [f"*{escape(step.title)}*", *map(finding_line, found)]
    button = next((finding.next_step for finding in found if finding.next_step), None)
    return section("\n".join(lines), accessory=step_button(button))
