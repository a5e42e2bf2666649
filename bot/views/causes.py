"""Causes in words: the line with the cause and its start, and the data for `--json`."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.findings import SIGN
from bot.views.text import date_token, escape
from playbooks.root_causes import Cause, Diagnosis

TITLE_LIMIT, DETAIL_LIMIT = 200, 300  # characters


def since_words(cause: Cause, form: str = "{time}") -> str:
    """ " since 08:32", in each reader's time zone; empty if unknown."""
    return f" since {date_token(cause.since, form)}" if cause.since else ""


def cause_line(cause: Cause) -> str:
    """ "🔴 *The database has not answered since 08:32.* Check Supabase's status.", in mrkdwn."""
    finding = cause.finding
    title = escape(finding.title, limit=TITLE_LIMIT).rstrip(".")
    do = f" {escape(finding.detail, limit=DETAIL_LIMIT)}" if finding.detail else ""
    return f"{SIGN[finding.status]} *{title}{since_words(cause)}.*{do}"


def causes_data(diagnoses: Sequence[Diagnosis]) -> list[dict[str, object]]:
    """Data of the causes for `--json`; the findings are printed separately."""
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
