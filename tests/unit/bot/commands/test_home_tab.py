"""The Home tab."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.commands.home import home_view
from bot.types import Answer
from bot.views.blocks import section, table

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def values(view: dict[str, object]) -> list[str]:
    blocks = view["blocks"]
    assert isinstance(blocks, list)
    return [element["value"] for block in blocks if block["type"] == "actions" for element in block["elements"]]


def test_start_can_be_refreshed() -> None:
    assert values(home_view(Answer("ok", [section("ok")], {}), "", now=NOW)) == ["home"]


def test_home_tab_offers_home_below_other_answers() -> None:
    assert values(home_view(Answer("ok", [section("ok")], {}), "queue", now=NOW)) == ["queue", "home"]


def test_tables_become_text() -> None:
    view = home_view(Answer("ok", table(["Worker"], [["i1"]]), {}), "heartbeats", now=NOW)

    assert "table" not in {block["type"] for block in view["blocks"]}
    assert "i1" in str(view)
