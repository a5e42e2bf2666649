"""The audit log: its newest rows, its verification and its export."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from bot.types import Answer, Attachment
from bot.views.blocks import actions, command_button, context, fit_message, section, sections
from bot.views.text import code, date_token, escape
from playbooks.model import Status
from services.domain.audit import AuditHead, AuditReport, AuditRow, ExportedRow
from services.domain.text import counted

DETAIL_LIMIT = 200
HOW_TO_VERIFY = (
    "hash = hex(sha256(hash of the line before + content)); nothing is before the first, the last is the head"
)
REFUSED = "refused"  # suffix of the events of refusals
_MENTION = re.compile(r"&lt;(@[UW][A-Z0-9]{2,}|!subteam\^S[A-Z0-9]{2,})&gt;")
_CODE = re.compile(r"\u02cb([^\u02cb\n]+)\u02cb")  # backticks after `escape`
_HASH = re.compile(r"\b[0-9a-f]{64}\b")


def audit_answer(rows: Sequence[AuditRow]) -> Answer:
    """The newest rows, newest first."""
    first = f"*Audit log*, the newest {counted(len(rows), 'row')}" if rows else "*The audit log is empty*"
    blocks = [section(first), *sections(map(row_line, rows)), *actions([command_button("Verify", "audit verify")])]
    return Answer(*fit_message(first, blocks), [row_data(row) for row in rows])


def verification_answer(report: AuditReport) -> Answer:
    """The result of the verification: whether a row was changed, removed or cut off."""
    if report.ok:
        first = f"✅ *The audit log is complete and unchanged*: {counted(report.rows, 'row')}"
    else:
        first = f"🔴 *The audit log was tampered with* at row {report.first_bad_seq}: {escape(report.what or '')}"
    head = f"head {code(report.head)}" if report.head else "there is no row yet"
    data = {
        "ok": report.ok,
        "rows": report.rows,
        "head": report.head,
        "first_bad_seq": report.first_bad_seq,
        "what": report.what,
    }
    note = f"{head} · compare it with the hash in the newest closed run's message"
    blocks = [section(first), context(note)]
    return Answer(*fit_message(first, blocks), data, Status.OK if report.ok else Status.FAIL)


def export_lines(rows: Sequence[ExportedRow]) -> str:
    """Rows as JSON lines, with the exact content that each hash covers."""
    return "\n".join(json.dumps({"seq": row.seq, "hash": row.hash, "content": row.content}) for row in rows)


def export_answer(head: AuditHead, rows: int, *, is_whole: bool) -> Answer:
    """The last line of an export: the chain's head. `is_whole`: the chain has no gap and ends with the head."""
    data = {"head": {"seq": head.seq, "hash": head.hash}, "rows": rows, "is_whole": is_whole, "how": HOW_TO_VERIFY}
    status = Status.OK if is_whole else Status.FAIL
    return Answer("", (), data, status, file=Attachment("audit.jsonl", json.dumps(data)))


def row_line(row: AuditRow) -> str:
    """ "#12 today 12:05 · run.approved · U0ANN · run 3", in mrkdwn."""
    run = f" · run {row.run_id}" if row.run_id is not None else ""
    is_refusal = row.event.endswith(REFUSED)
    whys = [str(row.details["why"])] if is_refusal and row.details.get("why") else []
    rest = {name: value for name, value in row.details.items() if not (is_refusal and name == "why")}
    detail_words = ", ".join(f"{name} {_short(value)}" for name, value in rest.items() if _is_shown(value))
    details = "".join(f" · {reason_text(why)}" for why in whys)
    details += f" · {escape(detail_words, limit=DETAIL_LIMIT)}" if detail_words else ""
    return f"#{row.seq} {date_token(row.at)} · {escape(row.event, limit=80)} · {actor_name(row)}{run}{details}"


def actor_name(row: AuditRow) -> str:
    """The actor in mrkdwn: a person as a mention, or the name of a part of the bot."""
    is_person = row.actor[:1] in "UW" and row.actor.isalnum() and row.actor.isupper()
    return f"<@{row.actor}>" if is_person else escape(row.actor, limit=80)


def reason_text(why: str) -> str:
    """A refusal's reason in mrkdwn, with mentions and code; everything else is escaped."""
    escaped = escape(why, limit=DETAIL_LIMIT)
    return _CODE.sub(r"`\1`", _MENTION.sub(r"<\1>", escaped))


def _is_shown(value: object) -> bool:
    return isinstance(value, str | int) and value != ""


def _short(value: object) -> str:
    """The value with hashes cut to 12 characters, as in other messages; `--json` has them whole."""
    return _HASH.sub(lambda found: found.group()[:12], str(value))


def row_data(row: AuditRow) -> dict[str, object]:
    """Data of a row for `--json`."""
    return {
        "seq": row.seq,
        "at": row.at,
        "actor": row.actor,
        "event": row.event,
        "run": row.run_id,
        "details": dict(row.details),
        "hash": row.hash,
    }
