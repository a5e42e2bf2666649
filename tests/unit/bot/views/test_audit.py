"""A row of the audit log as one line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bot.views.audit import row_data, row_line
from services.domain.audit import AuditRow

HASH = "4ad5886563d279cceddc575675ab59c146924eb1b27a02bf78739b54993eab7e"
ROW = AuditRow(14, datetime(2026, 11, 25, 12, tzinfo=UTC), "bot", "run.filed", 3, {"plan": HASH, "reason": ""}, HASH)


def test_a_hash_is_shown_by_its_first_characters_and_printed_whole() -> None:
    assert row_line(ROW).endswith("run.filed · bot · run 3 · plan 4ad5886563d2")
    assert row_data(ROW)["details"] == {"plan": HASH, "reason": ""}


def test_reason_of_a_refusal_names_people_and_commands_as_they_are_read() -> None:
    why = "incident 2 is resolved by <@U0BEN000001>; `rollback` needs <!subteam^S0APPROVERS>, not <!channel> or <@here>"
    row = replace(ROW, event="incident.acknowledged.refused", details={"why": why, "team": "T1"})

    line = row_line(row)

    assert "incident 2 is resolved by <@U0BEN000001>; `rollback` needs <!subteam^S0APPROVERS>" in line
    assert "&lt;!channel&gt; or &lt;@here&gt;" in line
    assert line.endswith("team T1")
