"""`why <alert|run|refusal>`: explains an alert's notifications, a run's state, or a refused request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bot.commands.arguments import no_more, read_number
from bot.commands.context import need_record, parse_run
from bot.commands.silence import need_what
from bot.config import alerts
from bot.facts.health import read_histories
from bot.types import Answer, Request
from bot.views.alerts import silence_line
from bot.views.audit import REFUSED, actor_name, reason_text, row_data
from bot.views.blocks import actions, command_button, fit_message, section, sections
from bot.views.findings import unavailable_answer
from bot.views.plan import LINE_LIMIT
from bot.views.run import decision_line, headline, review_line
from bot.views.run_steps import step_line
from bot.views.runs import record_data
from bot.views.text import code, date_token, escape
from services.clients.postgres.alerts import list_silences
from services.clients.postgres.audit import list_audit
from services.clients.postgres.pool import Connection
from services.domain.alerts import Alert, AlertDecision, AlertHistory, AlertState, Silence
from services.domain.audit import AuditRow
from services.domain.errors import Unavailable, UsageError
from services.domain.runs import Record, RunState, StepState

if TYPE_CHECKING:
    from bot.world import World


SHOWN = 20
_EXPLAINING = (StepState.FAILED, StepState.UNKNOWN, StepState.NOT_PROVED)


def why_answer(record: Record) -> Answer:
    """State, outcome, the steps that explain it, decisions and refusals."""
    run = record.run
    lines = [escape(run.outcome, limit=2 * LINE_LIMIT)] if run.outcome else _waiting_for(record)
    lines += [step_line(step) for step in record.steps if step.state in _EXPLAINING]
    lines += [decision_line(decision) for decision in record.decisions]
    lines += [review_line(record.review)] if record.review else []
    lines += [refusal_line(row) for row in record.audit if row.event.endswith(REFUSED)]
    first = headline(run, record.steps)
    blocks = [section(first), *sections(lines), *actions([command_button("Everything", f"run {run.id}")])]
    return Answer(*fit_message(first, blocks), record_data(record), private=True)


def refusals_answer(rows: Sequence[AuditRow]) -> Answer:
    """The newest refusals. `rows`: of the audit log, newest first."""
    refused = [row for row in rows if row.event.endswith(REFUSED)][:SHOWN]
    first = "*The newest refusals*" if refused else "*No recent refusals*"
    blocks = [section(first), *sections(map(refusal_line, refused)), *actions([command_button("Audit log", "audit")])]
    return Answer(*fit_message(first, blocks), [row_data(row) for row in refused], private=True)


# {last part of the audit event's name: the refused act, in words}
_TRIED = {
    "file": "requested a change",
    "resolve": "tried to resolve the unknown step of",
    "alone": "tried to self-approve",
    "acknowledged": "tried to acknowledge",
    "escalated": "tried to escalate",
    "resolved": "tried to resolve",
    "severity": "tried to change the severity of",
    "opened": "tried to open an incident",
    "manage": "tried to manage an incident",
    "override": "tried to change who is on call",
    "taken": "tried to take an override",
    "noted": "tried to add a handover note",
    "calendar": "tried to get an on-call calendar",
    "swap_offered": "tried to swap a shift",
    "swap_accepted": "tried to accept a swap",
    "swap_declined": "tried to decline a swap",
    "swap_withdrawn": "tried to withdraw a swap",
}


def refusal_line(row: AuditRow) -> str:
    """ "today 12:05 · @otto tried to approve run 3. Refused: …", in mrkdwn."""
    tried = row.event.removesuffix(f".{REFUSED}").partition(".")[2]
    what = _TRIED.get(tried, f"tried to {tried.replace('_', ' ')}")
    why = reason_text(str(row.details.get("why") or "no reason was recorded"))
    return f"{date_token(row.at)} · {actor_name(row)} {escape(what, limit=80)}{_subject(row)}. Refused: {why}."


def _subject(row: AuditRow) -> str:
    if row.run_id is not None:
        return f" run {row.run_id}"
    incident = row.details.get("incident")
    if incident is not None:
        return f" incident {escape(str(incident), limit=20)}"
    title = row.details.get("title") or row.details.get("verb")
    return f": {escape(str(title), limit=LINE_LIMIT)}" if title else ""


def _waiting_for(record: Record) -> list[str]:
    run = record.run
    match run.state:
        case RunState.PLANNED:
            return [f"The requester has not confirmed it yet; it expires {date_token(run.expires_at)}"]
        case RunState.AWAITING_APPROVAL:
            given = sum(decision.approve for decision in record.decisions)
            return [f"{given} of {run.approvals_needed} approvals; it expires {date_token(run.expires_at)}"]
        case RunState.APPROVED:
            return ["It is approved and waits for a replica to run it."]
        case _:
            return []


def why_alert_answer(what: str, histories: Sequence[AlertHistory], silences: Sequence[Silence]) -> Answer:
    """The decisions per alert, newest first; alerts without records are left out. `silences`: the active ones of these
    alerts."""
    known = [history for history in histories if history.decisions or history.alert]
    first = f"*Why people were or were not notified about {code(what)}*"
    lines = [silence_line(one) for one in silences]
    lines += [line for history in known for line in _lines(history)] or ["No such alert in the last 30 days."]
    buttons = [command_button("Silences", "silences"), command_button("Health", "health")]
    blocks = [section(first), *sections(lines), *actions(buttons)]
    return Answer(*fit_message(first, blocks), [_data(history) for history in known], private=True)


# {stored decision: its words}; the stored reason completes the sentence.
_SENTENCES = {
    "pending": "Detected; the bot waited before notifying people",
    "not told": "No one was notified",
    "told": "People were notified",
    "silenced": "Silenced; updates stopped",
    "watched": "Recovered; the bot kept watching it",
    "passed": "It cleared by itself",
    "resolved": "Resolved; people were notified",
    "called": "Paged",
    "not called": "Not paged",
}


def _lines(history: AlertHistory) -> Iterator[str]:
    yield f"*{escape(history.fingerprint)}* {_state(history.alert)}"
    yield from map(_sentence, history.decisions)


def _sentence(decision: AlertDecision) -> str:
    """ "today 12:05 · No one was notified: silence 5 covers it."; unknown words of another version are shown as is."""
    what = _SENTENCES.get(decision.decision, escape(decision.decision))
    return f"{date_token(decision.at)} · {what}: {escape(decision.reason, limit=300)}."


def _state(alert: Alert | None) -> str:
    if alert is None:
        return "is not firing now."
    if alert.state is AlertState.RESOLVED:
        return f"has ended. It was: {escape(alert.title)}."
    if alert.fine_since is not None:
        fine = (
            f"has been fine since {date_token(alert.fine_since)} ({escape(alert.title)}), and watched: it fired before"
        )
        return f"fired {date_token(alert.since)}; it {fine}."
    word = "has been firing" if alert.state is AlertState.FIRING else "has been detected, without notifying people,"
    held = f" Suppressed: {escape(alert.held)}." if alert.held else ""
    return f"{word} since {date_token(alert.since)}: {escape(alert.title)}.{held}"


def _data(history: AlertHistory) -> dict[str, object]:
    alert = history.alert
    return {
        "alert": history.fingerprint,
        "state": alert.state.value if alert else None,
        "held": alert.held if alert else "",
        "decisions": [
            {"at": one.at.isoformat(), "decision": one.decision, "reason": one.reason} for one in history.decisions
        ],
    }


DECISIONS = 12  # of one alert
DECISIONS_READ = 500  # newest rows of the audit log that are searched for refusals
REFUSAL = "refusal"


async def answer_why(request: Request, world: World) -> Answer:
    if not request.words:
        what_next = "Write `why heartbeats.ingest`, `why 12` or `why refusal`."
        raise UsageError("Why what?", why="nothing is named", what_next=what_next)
    if request.words[0].lower().removesuffix("s") == "incident":
        number = read_number(request.words[-1]) or 7
        raise UsageError(
            "Why what?", why="an incident has a timeline", what_next=f"Write `incident timeline {number}`."
        )
    if request.words[0].lower() in (REFUSAL, f"{REFUSAL}s"):
        no_more(request.words, 1)
        rows = await world.read(list_audit, limit=DECISIONS_READ)
        return unavailable_answer("refusals", rows) if isinstance(rows, Unavailable) else refusals_answer(rows)
    if not request.words[0].removeprefix("#").isdigit():
        return await _answer_alert(request, world)
    run_id = parse_run(request.words, "why 12")
    record = await need_record(world, run_id)
    return unavailable_answer(f"run {run_id}", record) if isinstance(record, Unavailable) else why_answer(record)


async def _answer_alert(request: Request, world: World) -> Answer:
    no_more(request.words, 1)
    what = need_what(request.words[0], world.known_services)
    found = await world.read(_read_decisions, alerts.covered(what))
    if isinstance(found, Unavailable):
        return unavailable_answer(f"decisions about {what}", found)
    return why_alert_answer(what, *found)


async def _read_decisions(conn: Connection, fingerprints: Sequence[str]) -> tuple[list[AlertHistory], list[Silence]]:
    """Read the decisions about these alerts, and the silences that cover any of them."""
    silences = [one for one in await list_silences(conn) if set(alerts.covered(one.what)) & set(fingerprints)]
    return await read_histories(conn, fingerprints, limit=DECISIONS), silences
