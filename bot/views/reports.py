"""A report as a message: the main numbers, alerts per rule, and the definitions of the numbers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from bot.types import Answer
from bot.views.blocks import actions, command_button, context, fit_message, section, sections, table
from bot.views.text import code, date_token, escape
from playbooks.model import Status
from services.domain.reports import DECISIONS_KEPT, MOST_PAGES, HeldBack, Report
from services.domain.services import find_service
from services.domain.text import age, counted

SHOWN_RULES = 12


def report_answer(report: Report, *, environment: str) -> Answer:
    """The report as an answer. Its status is always ok, because past numbers are no problem to act on."""
    first = f"📈 *Report* · {escape(environment)} · {_scope(report)} · last {age(report.until - report.since)}"
    lines = [*_gap(report), *_incident_lines(report), *_held_back(report), *_dora(report)]
    blocks = [section(first), *sections(lines)]
    if report.rules:
        cells = [(one.rule, str(one.alerts), _share(one.acted, one.alerts)) for one in report.rules[:SHOWN_RULES]]
        blocks += table(("Alerts per rule", "Announced", "Led to action"), cells)
    blocks += actions([command_button(label, f"report {days}{_suffix(report)}") for label, days in _WINDOWS])
    blocks.append(context(*_notes(report)))
    summary = "\n".join([first, *_gap(report), _incident_lines(report)[0]])
    return Answer(*fit_message(summary, blocks), _data(report), Status.OK)


def figures_line(report: Report) -> str:
    """The report in one line, for the Home tab."""
    numbers, window = report.incidents, age(report.until - report.since)
    known = f" since {date_token(report.records_since)}" if report.is_partly_known and report.records_since else ""
    if not numbers.incidents:
        return f"last {window}: no incidents{known}"
    busy = f"{len(report.busy_shifts)} of {counted(report.shifts_in_window, 'shift')} above {MOST_PAGES} pages"
    answered = f"acknowledged after {_mean(numbers.acknowledge_s)} · resolved after {_mean(numbers.resolve_s)}"
    return f"last {window}: {counted(numbers.incidents, 'incident')}{known} · {answered} · {busy}"


_WINDOWS = (("7 days", "7d"), ("30 days", "30d"), ("90 days", "90d"))


def _scope(report: Report) -> str:
    service = find_service(report.service) if report.service else None
    return service.short if service else "all services"


def _suffix(report: Report) -> str:
    return "" if report.service is None else f" {_scope(report)}"


def _gap(report: Report) -> list[str]:
    """A warning if the records do not cover the whole window."""
    if not report.is_partly_known:
        return []
    if report.records_since is None:
        return ["⚠️ *Incomplete:* when recording started is unknown, so a 0 may mean that nothing was recorded"]
    return [f"⚠️ *Incomplete:* records since {date_token(report.records_since)}; what happened before is unknown"]


def _incident_lines(report: Report) -> list[str]:
    numbers = report.incidents
    if not numbers.incidents:
        return ["*Incidents:* none"]
    acknowledged, resolved = _mean(numbers.acknowledge_s), _mean(numbers.resolve_s)
    return [
        f"*Incidents:* {numbers.incidents} · {numbers.paged} paged people · {numbers.resolved} resolved",
        f"*Acknowledged* after {acknowledged} (MTTA) · *resolved* after {resolved} (MTTR)",
        _pages(report),
    ]


def _pages(report: Report) -> str:
    busiest = max((shift.pages for shift in report.shifts), default=0)
    busy = len(report.busy_shifts)
    sign = "✅" if busy == 0 else "⚠️"
    line = f"*Pages* per 12 h shift: {report.pages_per_shift:.2f}, at most {busiest} · at night: {report.night_pages}"
    return f"{line}\n{sign} {busy} of {counted(report.shifts_in_window, 'shift')} above {MOST_PAGES}"


def _held_back(report: Report) -> list[str]:
    shown = ", ".join(map(_reason, report.held_back)) or "nothing"
    known = f" (last {age(DECISIONS_KEPT)})" if report.held_since > report.since else ""
    return [f"*Suppressed alerts*{known}: {shown}"]


def _reason(held: HeldBack) -> str:
    return f"{held.times} {escape(held.reason)}"


def _dora(report: Report) -> list[str]:
    made = report.deployments
    failures = _share(made.failed, made.deployments) if made.deployments else "unknown"
    return [
        f"*Deployments:* {made.deployments} ({_per_day(report)}) · *failed:* {failures} · "
        f"*restored after:* {_mean(report.incidents.restore_s)} · *lead time:* {_lead_time(report)}",
        f"*Approvals:* {_approvals(report)}",
    ]


def _per_day(report: Report) -> str:
    return "per day: unknown" if report.deployments_per_day is None else f"{report.deployments_per_day:.2f} per day"


def _lead_time(report: Report) -> str:
    """ "5 h (18 of 20)": the mean, and how many deployments it covers; left out if it covers all."""
    made = report.deployments
    if made.timed in (0, made.deployments):
        return _mean(made.lead_time_s)
    return f"{_mean(made.lead_time_s)} ({made.timed} of {made.deployments})"


def _approvals(report: Report) -> str:
    numbers = report.approvals
    if not numbers.approved:
        return f"0 of {numbers.requested} requests" if numbers.requested else "none requested"
    return f"{numbers.approved} of {numbers.requested} requests, after {_mean(numbers.wait_s)}"


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})"


def _mean(seconds: float | None) -> str:
    return "unknown" if seconds is None else age(timedelta(seconds=seconds))


def _notes(report: Report) -> list[str]:
    return [
        f"from {date_token(report.since)} to {date_token(report.until)}, without drills · averages are means",
        "a deployment failed if it was rolled back within a day, or if its service paged people within an hour",
        f"{_lead_time_note(report)} · {code('report 90d')} for a quarter",
    ]


def _lead_time_note(report: Report) -> str:
    if report.deployments.timed:
        return "lead time: from the commit's time on GitHub until it ran"
    return f"lead time needs {code('GITHUB_TOKEN')} and {code('GITHUB_REPO')}: Railway reports no commit times"


def _data(report: Report) -> dict[str, object]:
    """Data for `--json`, with unrounded numbers."""
    return asdict(report) | {
        "pages_per_shift": report.pages_per_shift,
        "night_pages": report.night_pages,
        "busy_shifts": len(report.busy_shifts),
        "shifts_in_window": report.shifts_in_window,
        "deployments_per_day": report.deployments_per_day,
        "failure_share": report.failure_share,
        "lead_time_s": report.deployments.lead_time_s,
    }
