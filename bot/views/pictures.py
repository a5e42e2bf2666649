"""Draws values with block characters: fixed-width pictures that look the same in Slack, on a phone and a terminal.

Each picture has the same content in words (`Series.words`), for screen readers. Unknown values are dots, never bars.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.types import Block
from bot.views.blocks import preformatted
from services.domain.history import WorkerState
from services.domain.text import age

CELLS = 24  # one per hour of a day; fits a phone together with the label
LABEL = 11  # characters
UNKNOWN = "·"
_BARS = "▁▂▃▄▅▆▇█"
_STATES = {WorkerState.ENDED: "_", WorkerState.ALIVE: "▆", WorkerState.WARNING: "!", WorkerState.STALE: "x"}
CHART = "data_visualization"
STATE_KEY = "`▆` alive, `!` warning, `x` stale, `_` stopped"


@dataclass(frozen=True)
class Series:
    """One row of a picture. `label`: in the picture. `name`: in words. `show`: formats a value with its unit.

    `top`: value of a full bar, such as a limit; None: the highest value. `of`: aggregate of each step ("max", "mean").
    """

    label: str
    name: str
    values: Sequence[float | None]
    show: Callable[[float], str]
    top: float | None = None
    of: str = "max"

    @property
    def known(self) -> list[float]:
        return [value for value in self.values if value is not None]

    @property
    def row(self) -> str:
        return labeled(self.label, bars(self.values, top=self.top))

    def words(self, step: timedelta) -> str:
        """ "Queue: min 0 · max 318 · last 60 min: max 12", for readers who can't see the picture."""
        if not self.known:
            return f"{self.name}: unknown"
        last = self.values[-1]
        lately = "unknown" if last is None else f"{self.of} {self.show(last)}"
        low, high = self.show(min(self.known)), self.show(max(self.known))
        return f"{self.name}: min {low} · max {high} · last {age(step)}: {lately}"


def bars(values: Sequence[float | None], *, top: float | None = None) -> str:
    """One character per value. Bars begin at 0; a full bar is `top`, or the highest value if that is higher."""
    highest = max([value for value in values if value is not None], default=0.0)
    full = max(top or 0.0, highest)
    return "".join(UNKNOWN if value is None else _bar(value, full) for value in values)


def _bar(value: float, full: float) -> str:
    share = value / full if full > 0 else 0.0
    return _BARS[min(max(round(share * (len(_BARS) - 1)), 0), len(_BARS) - 1)]


def strip(states: Sequence[int | None]) -> str:
    """One character per state of a worker; a state that this version does not know is a dot."""
    known = {int(state): sign for state, sign in _STATES.items()}
    return "".join(known.get(state, UNKNOWN) if state is not None else UNKNOWN for state in states)


def marks(cells: Sequence[int], count: int) -> str:
    """A row of `count` cells with a mark in each of `cells`."""
    return "".join("▼" if cell in cells else " " for cell in range(count)).rstrip()


def labeled(label: str, drawn: str) -> str:
    """A row of the picture with its label."""
    return f"{label[:LABEL]:<{LABEL}} {drawn}"


def picture(rows: Sequence[str]) -> Block:
    """The rows as a preformatted block."""
    return preformatted("\n".join(rows))


POINTS, FEWEST_POINTS = 12, 3  # points of a chart; Slack accepts at most 20
NAME_LIMIT, TITLE_LIMIT, MOST_SERIES = 20, 50, 6


def chart(title: str, series: Sequence[Series], *, since: datetime, step: timedelta) -> list[Block]:
    """Slack's line chart of these series, in addition to the picture; empty if too little is known.

    Slack needs a number for each point, so the chart begins after the last unknown value; its title has the start.
    """
    together = -(-max(len(one.values) for one in series) // POINTS)
    rows = [_joined(one.values, together) for one in series]
    first = max(_known_from(row) for row in rows)
    if len(rows[0]) - first < FEWEST_POINTS:
        return []
    moments = [since + step * together * n for n in range(first, len(rows[0]))]
    is_long = moments[-1] - moments[0] > timedelta(days=1)
    labels = [f"{moment:%d %b %H:%M}" if is_long else f"{moment:%H:%M}" for moment in moments]
    lines = [
        {
            "name": one.name[:NAME_LIMIT],
            "data": [{"label": label, "value": value} for label, value in zip(labels, row[first:], strict=True)],
        }
        for one, row in zip(series[:MOST_SERIES], rows, strict=False)
    ]
    words = f"{title} from {labels[0]} UTC"[:TITLE_LIMIT]
    axes = {"categories": labels, "x_label": "UTC"}
    return [{"type": CHART, "title": words, "chart": {"type": "line", "series": lines, "axis_config": axes}}]


def _joined(values: Sequence[float | None], together: int) -> list[float | None]:
    """The maximum of each `together` neighboring values; None if one of them is unknown."""
    groups = [values[start : start + together] for start in range(0, len(values), together)]
    known = [[one for one in group if one is not None] for group in groups]
    return [round(max(some), 2) if len(some) == len(group) else None for some, group in zip(known, groups, strict=True)]


def _known_from(row: Sequence[float | None]) -> int:
    """Index from which on all values are known."""
    return max([place + 1 for place, value in enumerate(row) if value is None], default=0)
