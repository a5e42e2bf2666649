"""Writes the figures of `make chaos` to docs/reliability.md: `python -m tests.chaos.report [figures.jsonl]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
BOUNDARIES = (
    "before intent",
    "after intent",
    "after the call",
    "before the outcome",
    "before the commit",
    "while it waits",
)


def newest(lines: Iterable[str]) -> list[Mapping[str, object]]:
    """Return the last figures of each case, whichever run or shard wrote them. Lines without a boundary are skipped."""
    figures = [one for one in map(json.loads, lines) if "boundary" in one]
    return list({(one["act"], one["boundary"], one["how"]): one for one in figures}.values())


def render(figures: Sequence[Mapping[str, object]]) -> str:
    """Render one table row per boundary and kind of failure, with median and worst, and the list of tested acts."""
    lines = [
        "| boundary | how | cases | another replica continues after, s | the run is over after, s |",
        "|---|---|---|---|---|",
    ]
    others = sorted({str(one["boundary"]) for one in figures} - set(BOUNDARIES))
    for boundary in (*BOUNDARIES, *others):
        for how in sorted({str(one["how"]) for one in figures}, reverse=True):
            cases = [one for one in figures if (one["boundary"], one["how"]) == (boundary, how)]
            if cases:
                spreads = f"{_spread(cases, 'goes_on_s')} | {_spread(cases, 'done_s')}"
                lines.append(f"| {boundary} | {how} | {len(cases)} | {spreads} |")
    acts = ", ".join(sorted({f"`{one['act']}`" for one in figures}))
    return "\n".join([*lines, "", f"{len(figures)} cases, of: {acts}."])


def _spread(cases: Iterable[Mapping[str, object]], name: str) -> str:
    values = sorted(float(str(one[name])) for one in cases if name in one)
    if not values:
        return "-"
    return f"{values[len(values) // 2]:.1f} / {values[-1]:.1f}"


def main(source: Path) -> None:
    """Replace the text between the markers."""
    figures = newest(source.read_text(encoding="utf-8").splitlines())
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{render(figures)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/chaos.jsonl"))
