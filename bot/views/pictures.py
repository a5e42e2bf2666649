"""Draws values with block characters: a fixed-width picture that Slack, a phone and a terminal show alike.

Next to each picture the same is said in words (`Series.words`), for screen readers. Unknown is a dot, never a bar.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.types import Block
from bot.views.blocks import preformatted
from services.domain.history import WorkerState
from services.domain.text import age

CELLS = 24  # one per hour of a day; with its label it fits a phone
LABEL = 11  # characters
UNKNOWN = "·"
_BARS = "▁▂▃▄▅▆▇█"
_STATES = {WorkerState.ENDED: "_", WorkerState.ALIVE: "▆", WorkerState.WARNING: "!", WorkerState.STALE: "x"}
CHART = "data_visualization"
STATE_KEY = "`▆` alive, `!` warning, `x` stale, `_` stopped"


@dataclass(frozen=True)
class Series:
    """One row of a picture. `label`: as the picture has it; `name`: in words. `show`: a value with its unit.

    `top`: what a full bar means, such as a limit; None: the highest value. `of`: what of each step a value is.
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
        """ "Queue: min 0 · max 318 · last 60 min: max 12", for who does not see the picture."""
        if not self.known:
            return f"{self.name}: unknown"
        last = self.values[-1]
        lately = "unknown" if last is None else f"{self.of} {self.show(last)}"
        low, high = self.show(min(self.known)), self.show(max(self.known))
        return f"{self.name}: min {low} · max {high} · last {age(step)}: {lately}"


def bars(values: Sequence[float | None], *, top: float | None = None) -> str:
    """One character per value; a full bar is `top`, or else the highest value. Bars begin at 0."""
    highest = max([value for value in values if value is not None], default=0.0)
    full = max(top or 0.0, highest)
    return "".join(UNKNOWN if value is None else _bar(value, full) for value in values)


def _bar(value: float, full: float) -> str:
    share = value / full if full > 0 else 0.0
    return _BARS[min(max(round(share * (len(_BARS) - 1)), 0), len(_BARS) - 1)]


def strip(states: Sequence[int | None]) -> str:
    """One character per state of a worker; a state of a newer version is unknown."""
    known = {int(state): sign for state, sign in _STATES.items()}
    return "".join(known.get(state, UNKNOWN) if state is not None else UNKNOWN for state in states)


def marks(cells: Sequence[int], count: int) -> str:
    """A mark in each of these cells of `count`."""
    return "".join("▼" if cell in cells else " " for cell in range(count)).rstrip()


def labeled(label: str, drawn: str) -> str:
    """A row of the picture."""
    return f"{label[:LABEL]:<{LABEL}} {drawn}"


def picture(rows: Sequence[str]) -> Block:
    """The rows in a fixed-width box."""
    return preformatted("\n".join(rows))


POINTS, FEWEST_POINTS = 12, 3  # of a chart; Slack takes at most 20
NAME_LIMIT, TITLE_LIMIT, MOST_SERIES = 20, 50, 6


def chart(title: str, series: Sequence[Series], *, since: datetime, step: timedelta) -> list[Block]:
    """Slack's line chart of these series, beside the picture, which says the same; none where too little is known.

    Slack wants a number for each point, so a chart begins after the last unknown stretch, and its title says when.
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
    """The highest of so many neighbors; None where one is unknown."""
    groups = [values[start : start + together] for start in range(0, len(values), together)]
    known = [[one for one in group if one is not None] for group in groups]
    return [round(max(some), 2) if len(some) == len(group) else None for some, group in zip(known, groups, strict=True)]


def _known_from(row: Sequence[float | None]) -> int:
    """From where on every value is known."""
    return max([place + 1 for place, value in enumerate(row) if value is None], default=0)
