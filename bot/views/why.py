"""Why a run stands as it does, and who was refused what: from what was written down, never guessed."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Answer
from bot.views.audit import REFUSED, actor_name, reason_text, row_data
from bot.views.blocks import actions, command_button, section, sections
from bot.views.message import fit_message
from bot.views.plan import LINE_LIMIT
from bot.views.run import decision_line, headline
from bot.views.run_steps import step_line
from bot.views.runs import record_data
from bot.views.text import date_token, escape
from bot.views.unapproved import review_line
from services.domain.audit import AuditRow
from services.domain.records import Record
from services.domain.runs import RunState, StepState

SHOWN = 20
_TELLING = (StepState.FAILED, StepState.UNKNOWN, StepState.NOT_PROVED)


def why_answer(record: Record) -> Answer:
    """State, outcome, the steps that explain it, who decided, and who was refused."""
    run = record.run
    lines = [escape(run.outcome, limit=2 * LINE_LIMIT)] if run.outcome else _waiting_for(record)
    lines += [step_line(step) for step in record.steps if step.state in _TELLING]
    lines += [decision_line(decision) for decision in record.decisions]
    lines += [review_line(record.review)] if record.review else []
    lines += [refusal_line(row) for row in record.audit if row.event.endswith(REFUSED)]
    first = headline(run, record.steps)
    blocks = [section(first), *sections(lines), *actions([command_button("Everything", f"run {run.id}")])]
    return Answer(*fit_message(first, blocks), record_data(record), private=True)


def refusals_answer(rows: Sequence[AuditRow]) -> Answer:
    """The newest refusals; `rows` are the audit log's, newest first."""
    refused = [row for row in rows if row.event.endswith(REFUSED)][:SHOWN]
    first = "*The newest refusals*" if refused else "*Nobody was refused lately*"
    blocks = [section(first), *sections(map(refusal_line, refused)), *actions([command_button("Audit log", "audit")])]
    return Answer(*fit_message(first, blocks), [row_data(row) for row in refused], private=True)


# What was tried, by the middle of the event's name; `audit` has the rows themselves.
_TRIED = {
    "file": "asked for a change",
    "resolve": "tried to settle",
    "alone": "tried to start alone",
    "acknowledged": "tried to acknowledge",
    "escalated": "tried to escalate",
    "resolved": "tried to resolve",
    "severity": "tried to change the severity of",
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
            return [f"Who asked has not confirmed it; it expires {date_token(run.expires_at)}"]
        case RunState.AWAITING_APPROVAL:
            given = sum(decision.approve for decision in record.decisions)
            return [f"{given} of {run.approvals_needed} approvals; it expires {date_token(run.expires_at)}"]
        case RunState.APPROVED:
            return ["It is approved and waits for a replica to take it."]
        case _:
            return []
