"""The state of everything as one message: the answer first, then a line a subject, what is wrong first."""

from __future__ import annotations

from datetime import datetime

from bot.commands._contract import Answer, Block
from bot.views.blocks import URL_LIMIT, context, is_web_address, section, sections
from bot.views.findings import SIGN, WORD, as_of, finding_data, step_button
from bot.views.message import fit_message
from bot.views.text import escape
from playbooks._contract import Finding, Status
from playbooks.health import Line, Report

MAX_BUTTONS = 5  # more than a person reads on a phone
LINE_LIMIT = 800  # characters of one line's findings


def health_answer(report: Report, *, moment: datetime, elapsed_ms: float) -> Answer:
    """`moment` is when the facts were true; `elapsed_ms` is how long reading them took."""
    first = f"{SIGN[report.status]} *{escape(report.headline, limit=300)}*"
    wrong = [line for line in report.lines if line.status is not Status.OK]
    loud, quiet = wrong[:MAX_BUTTONS], report.lines[len(wrong[:MAX_BUTTONS]) :]
    blocks: list[Block] = [section(first)]
    blocks += [section(_line(line), accessory=step_button(line.next_step)) for line in loud]
    blocks += sections(_line(line) for line in quiet)
    blocks.append(context(f"{as_of(moment)} · took {elapsed_ms:.0f} ms"))
    text = "\n".join([first, *(_line(line, with_link=False) for line in report.lines)])
    return Answer(*fit_message(text, blocks), _data(report, moment, elapsed_ms), report.status)


def _line(line: Line, *, with_link: bool = True) -> str:
    word = "" if line.status is Status.OK else f"{WORD[line.status].lower()}: "
    parts = " · ".join(_part(finding, line.subject) for finding in line.findings)
    link = _link(line.link) if with_link else ""
    return f"{SIGN[line.status]} {word}*{line.subject}* {parts}{link}"


def _link(url: str | None) -> str:
    if not url or not is_web_address(url):
        return ""
    return f" · <{escape(url, limit=URL_LIMIT).replace('|', '%7C')}|Railway>"


def _part(finding: Finding, subject: str) -> str:
    title = escape(finding.title.removeprefix(f"{subject} "), limit=LINE_LIMIT // 4)
    return f"{title} ({escape(finding.detail, limit=LINE_LIMIT // 4)})" if finding.detail else title


def _data(report: Report, moment: datetime, elapsed_ms: float) -> dict[str, object]:
    found = finding_data(report.headline, report.findings)
    return {**found, "as_of": moment.isoformat(), "elapsed_ms": round(elapsed_ms, 1)}
