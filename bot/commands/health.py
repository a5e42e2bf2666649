"""`health`: the state of the system, with the next step for each problem."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime

from bot.commands.arguments import wants_all
from bot.facts.health import gather_health
from bot.types import Answer, Block, Request
from bot.views.blocks import (
    actions,
    command_button,
    context,
    fit_message,
    is_web_address,
    link_button,
    section,
    sections,
)
from bot.views.causes import cause_line, causes_data, since_words
from bot.views.findings import SIGN, as_of, finding_data, finding_line, status_word, step_button
from bot.views.text import escape
from bot.world import World
from playbooks import health
from playbooks.health import Line, Report
from playbooks.model import Finding, NextStep

MAX_BUTTONS = 5  # more are not readable on a phone
MAX_PARTS = 4  # findings in one line; hundreds of workers may each have one
PART_LIMIT = 200  # characters of a title, and of a detail


def health_answer(report: Report, *, moment: datetime, elapsed_ms: float, show_all: bool = False) -> Answer:
    """`moment`: the time of the facts. `elapsed_ms`: the duration of reading them. Lines without a problem are folded
    unless `show_all`."""
    first = health_headline(report)
    wrong, fine = report.wrong[:MAX_BUTTONS], [*report.wrong[MAX_BUTTONS:], *report.fine]
    blocks: list[Block] = [section(first)]
    blocks += _diagnoses(report) if not show_all else sections(map(finding_line, _explained(report)))
    blocks += [
        *_problem_blocks(wrong, report.headline),
        *sections(map(_words, fine if show_all else report.wrong[MAX_BUTTONS:])),
    ]
    if not show_all:
        blocks += sections([f"🧊 {_part(one, '', is_reported=False)}" for one in report.held[:MAX_PARTS]])
    blocks.append(context(f"{as_of(moment)} · took {elapsed_ms:.0f} ms"))
    blocks += actions([*([] if show_all else [command_button("Show all", "health all")]), *_railway(report)])
    causes = [cause_line(one.cause) for one in report.diagnoses]
    text = "\n".join([first, *causes, *map(_words, report.lines)])
    return Answer(*fit_message(text, blocks), _data(report, moment, elapsed_ms), report.status)


def health_headline(report: Report) -> str:
    """The answer in one line of mrkdwn, with the time since when the cause exists."""
    since = since_words(report.cause) if report.cause else ""
    sentence, more = report.headline.removesuffix(report.more), report.more if since else ""
    return f"{SIGN[report.status]} *{escape(sentence if more else report.headline, limit=300)}*{since}{more}"


def _diagnoses(report: Report) -> list[Block]:
    """Each cause with its next step; the title of the first is in the headline already."""
    blocks: list[Block] = []
    for one in report.diagnoses:
        detail = escape(one.finding.detail, limit=PART_LIMIT)
        words = detail if one.cause is report.cause else cause_line(one.cause)
        if words:
            blocks.append(section(words, accessory=step_button(one.finding.next_step)))
    follows = " ".join(one.words for one in report.diagnoses if one.words)
    return [*blocks, *([section(follows)] if follows else [])]


def _explained(report: Report) -> list[Finding]:
    return [finding for one in report.diagnoses for finding in (one.finding, *one.follows)]


def _railway(report: Report) -> list[Block]:
    """A link to the project in Railway."""
    return [link_button("Railway", report.link)] if report.link and is_web_address(report.link) else []


def _problem_blocks(lines: Sequence[Line], headline: str) -> Iterator[Block]:
    """The problems with their next steps; a step that two lines share is offered once. A line whose only finding is in
    the headline shows the finding's detail."""
    offered: set[NextStep | None] = set()
    for line in lines:
        step = line.next_step
        is_reported = len(line.findings) == 1 and line.findings[0].title in headline
        yield section(_words(line, is_reported=is_reported), accessory=None if step in offered else step_button(step))
        offered.add(step)


def _words(line: Line, *, is_reported: bool = False) -> str:
    word = status_word(line.status, line.findings[0].title)
    parts = [_part(finding, line.subject, is_reported=is_reported) for finding in line.findings[:MAX_PARTS]]
    more = [f"{len(line.findings) - MAX_PARTS} more"] if len(line.findings) > MAX_PARTS else []
    return f"{SIGN[line.status]} {word}*{line.subject}* {' · '.join([*parts, *more])}"


def _part(finding: Finding, subject: str, *, is_reported: bool) -> str:
    if is_reported and finding.detail:
        return f"\N{EM DASH} {escape(finding.detail, limit=PART_LIMIT)}"
    title = escape(finding.title.removeprefix(f"{subject} "), limit=PART_LIMIT)
    return f"{title} ({escape(finding.detail, limit=PART_LIMIT)})" if finding.detail else title


def _data(report: Report, moment: datetime, elapsed_ms: float) -> dict[str, object]:
    found = finding_data(report.headline, report.findings)
    causes = causes_data(report.diagnoses)
    return {**found, "causes": causes, "as_of": moment.isoformat(), "elapsed_ms": round(elapsed_ms, 1)}


async def handle(request: Request, world: World) -> Answer:
    show_all = wants_all(request.words)
    started = time.perf_counter()
    facts = await gather_health(world)
    elapsed_ms = (time.perf_counter() - started) * 1000
    return health_answer(health.report(facts), moment=facts.as_of, elapsed_ms=elapsed_ms, show_all=show_all)
