"""One line of the audit log."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.views.audit import row_data, row_line
from services.domain.audit import AuditRow

HASH = "4ad5886563d279cceddc575675ab59c146924eb1b27a02bf78739b54993eab7e"
ROW = AuditRow(14, datetime(2026, 11, 25, 12, tzinfo=UTC), "bot", "run.filed", 3, {"plan": HASH, "reason": ""}, HASH)


def test_a_hash_is_shown_by_its_first_characters_and_printed_whole() -> None:
    assert row_line(ROW).endswith("run.filed · bot · run 3 · plan 4ad5886563d2")
    assert row_data(ROW)["details"] == {"plan": HASH, "reason": ""}
