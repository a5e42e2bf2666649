"""Causes as messages: one first, what to do about it, and what follows from it folded behind a button."""

from __future__ import annotations

from collections.abc import Sequence

from bot.types import Answer, Block
from bot.views.blocks import command_button, context, fit_message, section, sections
from bot.views.findings import SIGN, finding_data, finding_line, findings_answer, step_button
from bot.views.text import date_token, escape
from playbooks.doctor import Report
from playbooks.model import Finding, NextStep, Status, wrong_first
from playbooks.prod_gate import is_explained
from playbooks.root_causes import Cause, Diagnosed, Diagnosis

TITLE_LIMIT, DETAIL_LIMIT = 200, 300
SHOWN = 12  # findings with a block of their own; the rest shares sections


def since_words(cause: Cause, form: str = "{time}") -> str:
    """ " since 08:32", as each reader's clock shows it; empty where unknown."""
    return f" {cause.preposition} {date_token(cause.since, form)}" if cause.since else ""


def cause_line(cause: Cause) -> str:
    """ "🔴 *The database has not answered since 08:32.* Check Supabase's status.", in mrkdwn."""
    finding = cause.finding
    title = escape(finding.title, limit=TITLE_LIMIT).rstrip(".")
    do = f" {escape(finding.detail, limit=DETAIL_LIMIT)}" if finding.detail else ""
    return f"{SIGN[finding.status]} *{title}{since_words(cause)}.*{do}"


def diagnosis_blocks(diagnoses: Sequence[Diagnosis], show: str) -> list[Block]:
    """A section for each cause with its button, then how much follows from it. `show`: the command that lists it."""
    blocks: list[Block] = []
    for one in diagnoses:
        blocks.append(section(cause_line(one.cause), accessory=step_button(one.finding.next_step)))
    follows = sum(len(one.follows) for one in diagnoses)
    if follows:
        blocks.append(section(_follows(diagnoses), accessory=command_button("Show them", show)))
    return blocks


def causes_data(diagnoses: Sequence[Diagnosis]) -> list[dict[str, object]]:
    """What `--json` prints of them; the findings themselves stand beside it."""
    return [
        {
            "kind": one.cause.kind.value,
            "check": one.finding.check,
            "title": one.finding.title,
            "since": one.cause.since.isoformat() if one.cause.since else None,
            "follows": [finding.check for finding in one.follows],
        }
        for one in diagnoses
    ]


def doctor_answer(report: Report, *, notes: Sequence[str], show_all: bool = False) -> Answer:
    """The first line is the cause, or what is wrong, with what to do; what is fine is one line."""
    data = finding_data("doctor", report.findings) | {"causes": causes_data(report.diagnosed.diagnoses)}
    if show_all:
        return findings_answer("doctor", report.findings, data=data, notes=notes)
    blocks = diagnosis_blocks(report.diagnosed.diagnoses, "doctor all")
    loud = [*wrong_first(report.wrong), *report.unknown]
    blocks += _loud(loud, [one.finding.next_step for one in report.diagnosed.diagnoses])
    if not blocks:
        blocks = [section(f"{SIGN[Status.OK]} *doctor: nothing is wrong* in {len(report.fine)} areas")]
    blocks += sections(map(finding_line, report.past))
    names = ", ".join(finding.title for finding in report.fine)
    fine = [f"fine: {escape(names, limit=DETAIL_LIMIT)}"] if names else []
    blocks.append(context(" · ".join([*fine, *notes])))
    causes = [cause_line(one.cause) for one in report.diagnosed.diagnoses]
    text = "\n".join([*causes, *map(finding_line, [*loud, *report.past])]) or blocks[0]["text"]["text"]
    return Answer(*fit_message(text, blocks), data, report.status)


def gate_answer(title: str, gates: Sequence[Finding], diagnosed: Diagnosed) -> Answer:
    """The checklist; gates that a cause keeps shut are named below it, and not told one by one. Private."""
    first = diagnosed.first
    folded = [one for one in gates if first and one.status is not Status.OK and is_explained(one, diagnosed)]
    answer = findings_answer(title, gates, private=True)
    if not folded:
        return answer
    rest = [one for one in gates if one not in folded]
    names = ", ".join(one.title.partition(":")[0] for one in folded)
    lines = [cause_line(one.cause) for one in diagnosed.diagnoses]
    shut = f"Shut because of it: {escape(names, limit=DETAIL_LIMIT)}."
    blocks = [
        section(f"{SIGN[answer.status]} *{escape(title)}*: {len(gates) - _open(gates)} of {len(gates)} gates are shut"),
        *(
            section(line, accessory=step_button(one.finding.next_step))
            for line, one in zip(lines, diagnosed.diagnoses, strict=True)
        ),
        section(shut),
        *_loud(wrong_first(rest), []),
    ]
    data = finding_data(title, gates) | {"causes": causes_data(diagnosed.diagnoses)}
    return Answer(*fit_message("\n".join([*lines, shut, *map(finding_line, rest)]), blocks), data, answer.status, True)


def _follows(diagnoses: Sequence[Diagnosis]) -> str:
    if len(diagnoses) == 1:
        return diagnoses[0].words
    counts = sum(len(one.follows) for one in diagnoses)
    return f"{counts} other {'finding follows' if counts == 1 else 'findings follow'} from this."


def _loud(findings: Sequence[Finding], offered: Sequence[NextStep | None]) -> list[Block]:
    """Each with its next step; one that was offered already is not offered again."""
    steps = [*offered]
    blocks: list[Block] = []
    for finding in findings[:SHOWN]:
        step = finding.next_step
        blocks.append(section(finding_line(finding), accessory=None if step in steps else step_button(step)))
        steps.append(step)
    return [*blocks, *sections(map(finding_line, findings[SHOWN:]))]


def _open(gates: Sequence[Finding]) -> int:
    return sum(one.status is Status.OK for one in gates)
