"""Draws the blocks `table`, `data_table` and `data_visualization`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from services.sandbox.page.drawing.controls import control
from services.sandbox.page.drawing.html import Child, Drawing, Json, cannot_draw, el, join
from services.sandbox.page.drawing.rich_text import rich_text

WIDTH, HEIGHT = 480, 200
LEFT, BOTTOM, TOP = 44, 26, 10  # space for the labels of the axes
PIE_RADIUS = 80
MAX_LABELS = 8  # below the axis; more would overlap


def data_visualization(block: Json, _drawing: Drawing) -> Markup:
    chart = block.get("chart") or {}
    kind = str(chart.get("type"))
    title = str(block.get("title", ""))
    if kind == "pie":
        segments = chart.get("segments", ())
        drawn, names = _pie(segments), [str(segment.get("label", "")) for segment in segments]
    elif kind in SHAPES:
        drawn = _plot(chart, SHAPES[kind])
        names = [str(series.get("name", "")) for series in chart.get("series", ())]
    else:
        return cannot_draw("chart", kind)
    return el("figure", el("figcaption", title), drawn, _legend(names), _numbers(title, chart), class_="chart")


def _plot(chart: Json, shape: Callable[[Sequence[float], int, int, float], list[Child]]) -> Markup:
    axis = chart.get("axis_config") or {}
    categories = [str(name) for name in axis.get("categories", ())]
    rows = [_values(series, categories) for series in chart.get("series", ())]
    top = _nice(max((value for row in rows for value in row), default=0))
    shapes = [shape(row, number, len(rows), top) for number, row in enumerate(rows)]
    return el(
        "svg",
        _grid(top),
        shapes,
        _labels(categories),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=", ".join(filter(None, [axis.get("x_label"), axis.get("y_label")])) or "chart",
    )


def _values(series: Json, categories: Sequence[str]) -> list[float]:
    points = {str(point.get("label")): float(point.get("value", 0)) for point in series.get("data", ())}
    return [points.get(category, 0.0) for category in categories]


def _bars(values: Sequence[float], number: int, of: int, top: float) -> list[Child]:
    slot = _slot(len(values))
    width = slot * 0.7 / max(of, 1)
    return [
        el(
            "rect",
            x=_round(LEFT + slot * index + slot * 0.15 + width * number),
            y=_round(_y(value, top)),
            width=_round(width),
            height=_round(HEIGHT - BOTTOM - _y(value, top)),
            rx=2,
            class_=f"series-{number % 6} fill",
        )
        for index, value in enumerate(values)
    ]


def _line(values: Sequence[float], number: int, _of: int, top: float) -> list[Child]:
    return [el("polyline", points=_points(values, top), class_=f"series-{number % 6} line")]


def _area(values: Sequence[float], number: int, of: int, top: float) -> list[Child]:
    floor = HEIGHT - BOTTOM
    slot = _slot(len(values))
    first, last = LEFT + slot / 2, LEFT + slot * (len(values) - 0.5)
    outline = f"{_round(first)},{floor} {_points(values, top)} {_round(last)},{floor}"
    return [el("polygon", points=outline, class_=f"series-{number % 6} area"), *_line(values, number, of, top)]


SHAPES = {"bar": _bars, "line": _line, "area": _area}
CHARTS = frozenset({"pie", *SHAPES})


def _points(values: Sequence[float], top: float) -> str:
    slot = _slot(len(values))
    return " ".join(f"{_round(LEFT + slot * (i + 0.5))},{_round(_y(value, top))}" for i, value in enumerate(values))


def _slot(count: int) -> float:
    return (WIDTH - LEFT - 8) / max(count, 1)


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - BOTTOM - TOP) * (1 - max(value, 0) / top)


def _nice(value: float) -> float:
    """The next round number (1, 2, 5 times a power of 10) at or above the value; 1 for values up to 0."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _grid(top: float) -> list[Child]:
    lines: list[Child] = []
    for share in (0, 0.5, 1):
        y = _round(_y(top * share, top))
        lines.append(el("line", x1=LEFT, x2=WIDTH - 8, y1=y, y2=y, class_="grid"))
        lines.append(el("text", f"{top * share:g}", x=LEFT - 6, y=_round(float(y) + 4), class_="axis axis-y"))
    return lines


def _labels(categories: Sequence[str]) -> list[Child]:
    every = max(1, math.ceil(len(categories) / MAX_LABELS))
    slot = _slot(len(categories))
    return [
        el("text", name, x=_round(LEFT + slot * (index + 0.5)), y=HEIGHT - 8, class_="axis axis-x")
        for index, name in enumerate(categories)
        if index % every == 0
    ]


def _pie(segments: Sequence[Json]) -> Markup:
    total = sum(float(segment.get("value", 0)) for segment in segments) or 1.0
    circumference = 2 * math.pi * PIE_RADIUS / 2
    slices: list[Child] = []
    start = 0.0
    for number, segment in enumerate(segments):
        length = float(segment.get("value", 0)) / total * circumference
        slices.append(
            el(
                "circle",
                r=PIE_RADIUS / 2,
                cx=100,
                cy=100,
                stroke_dasharray=f"{_round(length)} {_round(circumference - length)}",
                stroke_dashoffset=_round(-start),
                class_=f"series-{number % 6} slice",
            )
        )
        start += length
    return el("svg", slices, viewBox="0 0 200 200", role="img", aria_label="pie chart", class_="pie")


def _legend(names: Sequence[str]) -> Markup | None:
    items = [el("li", name, class_=f"series-{number % 6}") for number, name in enumerate(names)]
    return el("ul", items, class_="legend") if items else None


def _numbers(title: str, chart: Json) -> Markup:
    rows = [(str(s.get("label", "")), s.get("value")) for s in chart.get("segments", ())]
    for series in chart.get("series", ()):
        rows += [
            (f"{series.get('name')}, {point.get('label')}", point.get("value")) for point in series.get("data", ())
        ]
    cells = [el("tr", el("th", name, scope="row"), el("td", str(value))) for name, value in rows]
    return el("table", el("caption", title), el("tbody", cells), class_="for-listeners")


def _round(value: float) -> str:
    return f"{value:.1f}"


CELLS = frozenset({"raw_text", "raw_number", "rich_text", "action_cell"})
DEFAULT_PAGE = 5  # rows of a `data_table` that Slack shows without `page_size`


def table(block: Json, drawing: Drawing) -> Markup:
    """Draw a table; its first row is the header, as in Slack."""
    settings = block.get("column_settings") or ()
    rows = block.get("rows", ())
    head, body = rows[:1], rows[1:]
    return _scrolling(
        _label(head),
        el("thead", [_row(row, settings, drawing, header=True) for row in head]),
        el("tbody", [_row(row, settings, drawing) for row in body]),
    )


def _label(head: Sequence[Sequence[Json]]) -> str:
    """The table's name for screen readers: its column names."""
    names = [str(cell.get("text", "")) for row in head for cell in row if cell.get("type") == "raw_text"]
    return f"Table of {', '.join(filter(None, names))}" if any(names) else "Table"


def data_table(block: Json, drawing: Drawing) -> Markup:
    """Draw the first page of rows; the rest is collapsed below it, which is enough for the demo."""
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
