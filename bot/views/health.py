"""The state of everything as one message: the answer first, then a line a subject, what is wrong first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from bot.commands._contract import Answer, Block
from bot.views.blocks import context, is_web_address, section, sections
from bot.views.findings import SIGN, as_of, finding_data, status_word, step_button
from bot.views.message import fit_message
from bot.views.text import escape, link
from playbooks._contract import Finding, NextStep, Status
from playbooks.health import Line, Report

MAX_BUTTONS = 5  # more than a person reads on a phone
MAX_PARTS = 4  # findings in one line; hundreds of workers may each have one
PART_LIMIT = 200  # characters of a title, and of a detail


def health_answer(report: Report, *, moment: datetime, elapsed_ms: float) -> Answer:
    """`moment` is when the facts were true; `elapsed_ms` is how long reading them took."""
    first = f"{SIGN[report.status]} *{escape(report.headline, limit=300)}*"
    wrong = sum(line.status is not Status.OK for line in report.lines)
    loud, quiet = report.lines[: min(wrong, MAX_BUTTONS)], report.lines[min(wrong, MAX_BUTTONS) :]
    blocks: list[Block] = [section(first), *_loud(loud), *sections(map(_line, quiet))]
    blocks.append(context(f"{as_of(moment)} · took {elapsed_ms:.0f} ms"))
    text = "\n".join([first, *map(_words, report.lines)])
    return Answer(*fit_message(text, blocks), _data(report, moment, elapsed_ms), report.status)


def _loud(lines: Sequence[Line]) -> Iterator[Block]:
    """What is wrong, each with its next step; a step that two lines share is offered once."""
    offered: set[NextStep | None] = set()
    for line in lines:
        step = line.next_step
        yield section(_line(line), accessory=None if step in offered else step_button(step))
        offered.add(step)


def _line(line: Line) -> str:
    return f"{_words(line)}{_link(line.link)}"


def _words(line: Line) -> str:
    word = status_word(line.status, line.findings[0].title)
    parts = [_part(finding, line.subject) for finding in line.findings[:MAX_PARTS]]
    more = [f"{len(line.findings) - MAX_PARTS} more"] if len(line.findings) > MAX_PARTS else []
    return f"{SIGN[line.status]} {word}*{line.subject}* {' · '.join([*parts, *more])}"


def _link(url: str | None) -> str:
    if not url or not is_web_address(url):
        return ""
    return f" · {link(url, 'Railway')}"


def _part(finding: Finding, subject: str) -> str:
    title = escape(finding.title.removeprefix(f"{subject} "), limit=PART_LIMIT)
    return f"{title} ({escape(finding.detail, limit=PART_LIMIT)})" if finding.detail else title


def _data(report: Report, moment: datetime, elapsed_ms: float) -> dict[str, object]:
    found = finding_data(report.headline, report.findings)
    return {**found, "as_of": moment.isoformat(), "elapsed_ms": round(elapsed_ms, 1)}
