"""The `table` and `data_table` blocks."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from services.sandbox.page.drawing.context import Drawing, Json
from services.sandbox.page.drawing.controls import control
from services.sandbox.page.drawing.html import Child, el, join
from services.sandbox.page.drawing.problem import cannot_draw
from services.sandbox.page.drawing.rich_text import rich_text

CELLS = frozenset({"raw_text", "raw_number", "rich_text", "action_cell"})
DEFAULT_PAGE = 5  # rows of a `data_table` that Slack shows when `page_size` is missing


def table(block: Json, drawing: Drawing) -> Markup:
    """The first row is drawn as the header, as Slack does."""
    settings = block.get("column_settings") or ()
    rows = block.get("rows", ())
    head, body = rows[:1], rows[1:]
    return _scrolling(
        _label(head),
        el("thead", [_row(row, settings, drawing, header=True) for row in head]),
        el("tbody", [_row(row, settings, drawing) for row in body]),
    )


def _label(head: Sequence[Sequence[Json]]) -> str:
    """What tells this table from the others on the page, for who cannot see it."""
    names = [str(cell.get("text", "")) for row in head for cell in row if cell.get("type") == "raw_text"]
    return f"Table of {', '.join(filter(None, names))}" if any(names) else "Table"


def data_table(block: Json, drawing: Drawing) -> Markup:
    """The first page of rows; the rest folded below, because a picture of the table is enough here."""
    caption = str(block.get("caption", ""))
    rows = block.get("rows", ())
    page = int(block.get("page_size", DEFAULT_PAGE))
    key = int(block.get("row_header_column_index", 0))
    head = el("thead", [_row(row, (), drawing, header=True) for row in rows[:1]])
    shown, folded = rows[1 : page + 1], rows[page + 1 :]
    first = _scrolling(
        caption, el("caption", caption), head, el("tbody", [_row(row, (), drawing, row_header=key) for row in shown])
    )
    if not folded:
        return first
    rest = _scrolling(
        f"{caption}, more rows", head, el("tbody", [_row(row, (), drawing, row_header=key) for row in folded])
    )
    return join([first, el("details", el("summary", f"{len(folded)} more rows"), rest, class_="more-rows")])


def _scrolling(label: str, *parts: Child) -> Markup:
    return el("div", el("table", parts), class_="table-scroll", tabindex="0", role="region", aria_label=label)


def _row(
    row: Sequence[Json],
    settings: Sequence[Json | None],
    drawing: Drawing,
    *,
    header: bool = False,
    row_header: int = -1,
) -> Markup:
    cells = []
    for number, cell in enumerate(row):
        setting = (settings[number] if number < len(settings) else None) or {}
        name = "th" if header or number == row_header else "td"
        classes = [f"align-{setting.get('align')}" if setting.get("align") in ("center", "right") else ""]
        classes += ["wrap" if setting.get("is_wrapped") else "", "number" if cell.get("type") == "raw_number" else ""]
        scope = ("col" if header else "row") if name == "th" else None
        cells.append(el(name, _cell(cell, drawing), class_=" ".join(filter(None, classes)) or None, scope=scope))
    return el("tr", cells)


def _cell(cell: Json, drawing: Drawing) -> Markup:
    kind = str(cell.get("type"))
    if kind == "rich_text":
        return rich_text(cell, drawing)
    if kind in ("raw_text", "raw_number"):
        return join([str(cell.get("text", cell.get("value", "")))])
    if kind == "action_cell":
        return control(cell.get("element") or {}, drawing)
    return cannot_draw("table cell", kind)
