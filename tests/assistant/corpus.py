"""The cases of `cases/*.toml`, each with a planted problem: the reads' outputs, the right answer, and the reads that
fail."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.assistant.answerer import ReadResult
from bot.assistant.catalogue import Read

CASES = Path(__file__).with_name("cases")

HEALTHY: Mapping[str, str] = {
    "doctor": "✅ doctor: nothing is wrong in 8 areas",
    "health": "✅ api ok in 12 ms — SHA a1b2c3d4",
    "sha": "✅ api runs a1b2c3d4 · deployed a1b2c3d4 2025-12-20 10:30 UTC",
    "verify": "✅ Verified: everything",
    "heartbeats": "✅ ingest 2 of 2 alive — last beat 4 s ago\n✅ enforcement 1 of 1 alive — last beat 9 s ago",
    "queue": "✅ 0 waiting, 0 running",
    "throughput": "✅ OK · throughput of the last 10 min: 40 jobs completed, 0 failed",
    "failed-jobs": "✅ OK · 0 jobs failed in the last 60 min",
    "intake": "✅ intake ok in 9 ms",
    "deployments": "✅ api runs a1b2c3d4",
    "logs": "06:45:12 info Entering main loop...",
    "migrations": "✅ 12 applied, 0 pending",
    "recent-changes": "No deployments, migrations or runs in the last 2 h.",
    "incident timeline": "10:31:02 opened by an alert",
    "runs": "No run is waiting.",
    "why": "No alert fired in the last 30 days.",
    "oncall": "✅ On call · 1. primary · waits 5 min",
    "silences": "No active silences",
}
PRIVATE = frozenset({"logs", "failed-jobs", "incident timeline", "runs", "why", "oncall", "silences"})


@dataclass(frozen=True)
class Case:
    """One case. `causes`: texts that claims have to repeat. `needs`: the reads that show them. `unknown`: reads that
    fail."""

    name: str
    question: str
    causes: tuple[str, ...]
    needs: tuple[str, ...]
    unknown: tuple[str, ...]
    reads: Mapping[str, str]

    async def run_read(self, read: Read) -> ReadResult:
        """Return what the read shows in this case."""
        text = self.reads.get(read.line) or self.reads.get(read.verb.value) or HEALTHY[read.verb.value]
        return ReadResult(text, read.verb.value in PRIVATE)


def load_cases() -> list[Case]:
    """Load every case."""
    found = [case for path in sorted(CASES.glob("*.toml")) for case in tomllib.loads(path.read_text())["case"]]
    return [
        Case(
            one["name"],
            one["question"],
            tuple(one["causes"]),
            tuple(one["needs"]),
            tuple(one["unknown"]),
            one.get("reads", {}),
        )
        for one in found
    ]
