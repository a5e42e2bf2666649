"""Findings as a message: overall state first, then problems, with next steps as buttons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.types import Answer, Block
from bot.views.blocks import command_button, context, fit_message, is_web_address, link_button, section, sections
from bot.views.text import cut_mrkdwn, date_token, escape
from playbooks.model import Finding, NextStep, Status, worst, wrong_first
from services.domain.errors import Unavailable
from services.domain.text import counted

SIGN = {Status.OK: "✅", Status.WARN: "⚠️", Status.FAIL: "🔴", Status.UNKNOWN: "❔"}
PAST = "\N{INFORMATION SOURCE}\ufe0f"  # sign of a past problem
WORD = {Status.OK: "OK", Status.WARN: "WARNING", Status.FAIL: "WRONG", Status.UNKNOWN: "UNKNOWN"}
MAX_OWN_BLOCKS = 30  # findings with their own block; the rest share sections
LINE_LIMIT = 600  # characters of one finding


def headline(title: str, findings: Sequence[Finding]) -> str:
    """The first line in mrkdwn: sign, word, title and the worst finding, so that it is complete by itself."""
    status = worst(findings)
    return f"{SIGN[status]} *{WORD[status]}* · {escape(title, limit=200)}{_worst_of(findings)}"


def finding_line(finding: Finding) -> str:
    """One finding in mrkdwn: sign, title, detail; with the status word for readers who can't see the sign."""
    if finding.was_wrong:
        first, last = (date_token(moment, "{time}") for moment in finding.was_wrong)
        return f"{PAST} was wrong {first}\N{EN DASH}{last}: *{escape(finding.title, limit=LINE_LIMIT // 3)}*"
    word = status_word(finding.status, finding.title)
    detail = f" — {escape(finding.detail, limit=LINE_LIMIT // 2)}" if finding.detail else ""
    return f"{SIGN[finding.status]} {word}*{escape(finding.title, limit=LINE_LIMIT // 3)}*{detail}"


def status_word(status: Status, title: str) -> str:
    """ "wrong: " for a finding that is not ok, for readers who can't see the sign; empty if the title ends with it."""
    word = WORD[status].lower()
    return "" if status is Status.OK or title.endswith(word) else f"{word}: "


def finding_blocks(title: str, findings: Sequence[Finding], *, notes: Sequence[str] = ()) -> list[Block]:
    """Headline, one block per problem, the ok findings together, then notes (mrkdwn).

    A next step that two findings share is offered once. A single problem is the headline itself.
    """
    ordered = wrong_first(findings)
    loud = [finding for finding in ordered if finding.status is not Status.OK][:MAX_OWN_BLOCKS]
    quiet = ordered[len(loud) :]
    past = [finding for finding in quiet if finding.was_wrong]
    quiet = [finding for finding in quiet if not finding.was_wrong]
    blocks = [section(_heading(title, findings, loud))] if len(loud) != 1 else [_only(title, loud[0])]
    loud = loud if len(loud) > 1 else []
    offered = [finding.next_step for finding in loud]
    blocks += [
        section(finding_line(finding), accessory=step_button(step if step not in offered[:n] else None))
        for n, (finding, step) in enumerate(zip(loud, offered, strict=True))
    ]
    blocks += sections([*past_lines(past), *map(finding_line, quiet)])
    return [*blocks, context(*notes)] if notes else blocks


def _heading(title: str, findings: Sequence[Finding], loud: Sequence[Finding]) -> str:
    """Headline without findings, because they follow."""
    status = worst(findings)
    more = f": {len(loud)} findings" if loud else ""
    return f"{SIGN[status]} *{WORD[status]}* · {escape(title, limit=200)}{more}"


def _only(title: str, finding: Finding) -> Block:
    """The headline with the finding's detail; only the finding's line if it has the title already."""
    if finding.status is Status.UNKNOWN or title.lower() in finding.title.lower():
        return section(finding_line(finding), accessory=step_button(finding.next_step))
    detail = f" — {escape(finding.detail, limit=LINE_LIMIT // 2)}" if finding.detail else ""
    return section(f"{headline(title, [finding])}{detail}", accessory=step_button(finding.next_step))


def past_lines(past: Sequence[Finding]) -> list[str]:
    """One line per service with past problems: the kind that lasted longest, and the number of others."""
    by_service: dict[object, list[Finding]] = {}
    for finding in past:
        by_service.setdefault(finding.service, []).append(finding)
    return [finding_line(_together(own)) for own in by_service.values()]


def _together(past: Sequence[Finding]) -> Finding:
    spans = [finding.was_wrong for finding in past if finding.was_wrong]
    longest = max(zip(spans, past, strict=True), key=lambda pair: pair[0][1] - pair[0][0])[1]
    more = f" (+ {counted(len(past) - 1, 'other kind')} of line)" if len(past) > 1 else ""
    whole = min(first for first, _ in spans), max(last for _, last in spans)
    return replace(longest, title=f"{longest.title}{more}", was_wrong=whole)


def findings_text(title: str, findings: Sequence[Finding]) -> str:
    """The fallback text: headline and findings, problems first; complete without the blocks."""
    lines = [finding_line(finding) for finding in wrong_first(findings)]
    return cut_mrkdwn("\n".join([headline(title, findings), *lines]), 3000)


def findings_answer(
    title: str,
    findings: Sequence[Finding],
    *,
    data: object | None = None,
    notes: Sequence[str] = (),
    extra: Sequence[Block] = (),
    private: bool = False,
) -> Answer:
    """The whole answer. `extra`: blocks at the end (a table, buttons). `data`: defaults to the findings."""
    blocks = [*finding_blocks(title, findings, notes=notes), *extra]
    data = finding_data(title, findings) if data is None else data
    return Answer(*fit_message(findings_text(title, findings), blocks), data, worst(findings), private)


def unavailable_answer(what: str, reason: Unavailable, *, private: bool = True) -> Answer:
    """The whole answer if its only source is unavailable: unknown, never ok."""
    away = reason.is_outage and reason.source == "database"
    step = NextStep("Health", "health") if away else NextStep("Check the settings", "check-config")
    finding = Finding("source", Status.UNKNOWN, f"{what} unknown", reason.why, next_step=step)
    return findings_answer(what, [finding], private=private)


def finding_data(title: str, findings: Sequence[Finding]) -> dict[str, object]:
    """Data of findings for `--json`: the same words, and the evidence."""
    return {"title": title, "status": worst(findings).value, "findings": [_finding_data(f) for f in findings]}


def step_button(step: NextStep | None) -> Block | None:
    """The next step as a button; None without a command or link."""
    if step is None:
        return None
    if step.command:
        return command_button(step.label, step.command)
    return link_button(step.label, step.url) if step.url and is_web_address(step.url) else None


def as_of(moment: datetime) -> str:
    """The note "as of …"."""
    return f"as of {date_token(moment)}"


def _worst_of(findings: Sequence[Finding]) -> str:
    wrong = [finding for finding in wrong_first(findings) if finding.status is not Status.OK]
    if not wrong:
        return ""
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f": {escape(wrong[0].title, limit=LINE_LIMIT // 3)}{more}"


def _finding_data(finding: Finding) -> dict[str, object]:
    step = finding.next_step
    return {
        "check": finding.check,
        "status": finding.status.value,
        "title": finding.title,
        "detail": finding.detail,
        "service": finding.service.value if finding.service else None,
        "evidence": dict(finding.evidence),
        "was_wrong": [moment.isoformat() for moment in finding.was_wrong] if finding.was_wrong else None,
        "next_step": {"label": step.label, "command": step.command, "url": step.url} if step else None,
    }
