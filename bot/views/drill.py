"""Drills: the offer, the start, and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.types import Answer, Block
from bot.views.blocks import actions, command_button, context, fit_message, section, sections
from bot.views.text import date_token, escape, person
from services.domain.alerts import MARK, Drill
from services.domain.text import counted

EXPLAINED = (
    "A simulated worker stops sending heartbeats, next to the real ones. The alert detects it, the bot posts the "
    f"message, and the people on call are *really paged*, all marked {MARK}. Acknowledge it: the drill then ends, "
    "after 5 minutes at the latest, and reports how long each step took and who was not reached."
)


def offer_answer(targets: int, last: Drill | None) -> Answer:
    """Offer a drill. It needs one tap more, because it pages people."""
    first = f"*{MARK}*: a rehearsal, from a missed heartbeat to an acknowledgement"
    outside = (
        f"{counted(targets, 'target')} outside Slack" if targets else "no target outside Slack is set: no phone rings"
    )
    start = command_button("Start the drill", "drill start", style="danger")
    buttons = actions([start, command_button("On call", "oncall")])
    blocks = [section(first), section(EXPLAINED), *buttons, context(outside)]
    if last is not None and last.report is not None:
        blocks += [section(f"The last drill, {date_token(last.asked_at)}:"), *_report(last, last.report)]
    return Answer(*fit_message(first, blocks), {"started": False, "last": _data(last)}, private=True)


def started_answer(drill: Drill) -> Answer:
    """Public: a drill has started."""
    at = date_token(drill.stale_at, "{time_secs}")
    first = (
        f"🧪 *{MARK} {drill.id}* started by {person(drill.asked_by)}: a simulated worker stops sending heartbeats {at}"
    )
    blocks = [section(first), context("Acknowledge it as if it were real.")]
    return Answer(*fit_message(first.replace("*", ""), blocks), _data(drill))


def under_way_answer(drill: Drill) -> Answer:
    """The answer if a drill is running already."""
    first = f"🧪 *{MARK} {drill.id}* has been running since {date_token(drill.asked_at, '{time_secs}')}"
    return Answer(*fit_message(first.replace("*", ""), [section(first)]), _data(drill), private=True)


def report_message(drill: Drill, report: Mapping[str, Any]) -> tuple[str, list[Block]]:
    """The report of a drill, for its thread."""
    outcome = "acknowledged" if report["outcome"] == "answered" else str(report["outcome"])  # the stored word
    first = f"🧪 {MARK} {drill.id} is over: {escape(outcome)}"
    return fit_message(first, [section(f"*{first}*"), *_report(drill, report)])


def _report(drill: Drill, report: Mapping[str, Any]) -> list[Block]:
    answered = f" by <@{escape(report['answered_by'])}>" if report["answered_by"] else ""
    lines = [
        f"Heartbeat stale: {date_token(drill.stale_at, '{time_secs}')}; all times from then",
        _step("Detected", report["detected_after_s"]),
        _step("Message in Slack", report["told_after_s"]),
        *_pages(report),
        _step(f"Acknowledged{answered}", report["answered_after_s"]),
    ]
    return sections(lines)


def _pages(report: Mapping[str, Any]) -> list[str]:
    return [_page(page, report["not_reached"]) for page in report["calls"]] or ["🔴 No one was paged"]


def _page(page: Mapping[str, Any], missed: Sequence[str]) -> str:
    target = f"{escape(page['whom'])} by {escape(page['by'])}"
    if page["after_s"] is not None:
        return f"🟢 {target}: {page['after_s']:.1f} s"
    why = escape(page["why_not"])
    is_missed = f"{page['whom']} by {page['by']}" in missed
    return f"🔴 {target}: *not reached*, {why}" if is_missed else f"⚪ {target}: not paged, {why}"


def _step(name: str, after_s: float | None) -> str:
    return f"🔴 {name}: no" if after_s is None else f"🟢 {name}: {after_s:.1f} s"


def _data(drill: Drill | None) -> dict[str, Any] | None:
    if drill is None:
        return None
    return {
        "id": drill.id,
        "asked_at": drill.asked_at.isoformat(),
        "stale_at": drill.stale_at.isoformat(),
        "ended_at": drill.ended_at.isoformat() if drill.ended_at else None,
        "report": dict(drill.report) if drill.report is not None else None,
    }
