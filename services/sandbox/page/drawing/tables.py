"""Draws the blocks `table` and `data_visualization`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from services.sandbox.page.drawing.html import Child, Drawing, Json, cannot_draw, el, join

WIDTH, HEIGHT = 480, 200
LEFT, BOTTOM, TOP = 44, 26, 10  # space for the labels of the axes
MAX_LABELS = 8  # below the axis; more would overlap
CHARTS = frozenset({"line"})


def data_visualization(block: Json, _drawing: Drawing) -> Markup:
    chart = block.get("chart") or {}
    kind = str(chart.get("type"))
    if kind not in CHARTS:
        return cannot_draw("chart", kind)
    title = str(block.get("title", ""))
    names = [str(series.get("name", "")) for series in chart.get("series", ())]
    return el("figure", el("figcaption", title), _plot(chart), _legend(names), _numbers(title, chart), class_="chart")


def _plot(chart: Json) -> Markup:
    axis = chart.get("axis_config") or {}
    categories = [str(name) for name in axis.get("categories", ())]
    rows = [_values(series, categories) for series in chart.get("series", ())]
    top = _nice(max((value for row in rows for value in row), default=0))
    return el(
        "svg",
        _grid(top),
        [_line(row, number, top) for number, row in enumerate(rows)],
        _labels(categories),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=", ".join(filter(None, [axis.get("x_label"), axis.get("y_label")])) or "chart",
    )


def _values(series: Json, categories: Sequence[str]) -> list[float]:
    points = {str(point.get("label")): float(point.get("value", 0)) for point in series.get("data", ())}
    return [points.get(category, 0.0) for category in categories]


def _line(values: Sequence[float], number: int, top: float) -> Markup:
    return el("polyline", points=_points(values, top), class_=f"series-{number % 6} line")


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


def _legend(names: Sequence[str]) -> Markup | None:
    items = [el("li", name, class_=f"series-{number % 6}") for number, name in enumerate(names)]
    return el("ul", items, class_="legend") if items else None


def _numbers(title: str, chart: Json) -> Markup:
    rows = [
        (f"{series.get('name')}, {point.get('label')}", point.get("value"))
        for series in chart.get("series", ())
        for point in series.get("data", ())
    ]
    cells = [el("tr", el("th", name, scope="row"), el("td", str(value))) for name, value in rows]
    return el("table", el("caption", title), el("tbody", cells), class_="for-listeners")


def _round(value: float) -> str:
    return f"{value:.1f}"


CELLS = frozenset({"raw_text"})


def table(block: Json, _drawing: Drawing) -> Markup:
    """Draw a table; its first row is the header, as in Slack."""
    rows = block.get("rows", ())
    head, body = rows[:1], rows[1:]
    drawn = el("table", el("thead", [_row(row, "th") for row in head]), el("tbody", [_row(row, "td") for row in body]))
    return el("div", drawn, class_="table-scroll", tabindex="0", role="region", aria_label=_label(head))


def _label(head: Sequence[Sequence[Json]]) -> str:
    """The table's name for screen readers: its column names."""
    names = [str(cell.get("text", "")) for row in head for cell in row]
    return f"Table of {', '.join(filter(None, names))}" if any(names) else "Table"


def _row(row: Sequence[Json], tag: str) -> Markup:
    return el("tr", [el(tag, _cell(cell), scope="col" if tag == "th" else None) for cell in row])


def _cell(cell: Json) -> Markup:
    kind = str(cell.get("type"))
    return join([str(cell.get("text", ""))]) if kind in CELLS else cannot_draw("table cell", kind)
