"""Writes the batch phases of the kills to docs/reliability.md: `python -m tests.chaos.kills [kills.jsonl]`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- kills -->", "<!-- /kills -->"
PHASES = (
    "before the upload is stored",
    "stored, not claimed",
    "in the first page",
    "between pages",
    "all pages stored, not completed",
    "completed, the job not yet",
    "after the end",
)


def render(kills: Sequence[Mapping[str, object]]) -> str:
    """Render one table row per phase, the statements that were running, and how long a round took."""
    fell = Counter((one["killed"], one["phase"]) for one in kills)
    rows = [f"| {phase} | {fell['api', phase]} | {fell['worker', phase]} |" for phase in PHASES]
    doing = Counter(str(one["doing"]) for one in kills)
    del doing["nothing"]
    statements = ", ".join(f"`{statement}` {count}" for statement, count in doing.most_common())
    took_s = sorted(float(str(one["took_s"])) for one in kills)
    spread = f"median {took_s[len(took_s) // 2]:.1f} s, worst {took_s[-1]:.1f} s"
    table = ["| the batch was | API killed | worker killed |", "|---|---|---|", *rows]
    return "\n".join([*table, "", f"{len(kills)} rounds, {spread} each. Statements under way: {statements}."])


def main(source: Path) -> None:
    """Replace the text between the markers."""
    lines = source.read_text(encoding="utf-8").splitlines()
    newest = {(one["seed"], one["shard"], one["round"]): one for one in map(json.loads, lines)}
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{render(list(newest.values()))}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/kills.jsonl"))
