"""May this environment be deployed to? (runbook, "Automated Prod Gate")

When:   right before a deploy, by a person or by a script that looks at the exit code.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from playbooks import health
from playbooks._contract import Finding, Status, worst, wrong_first
from playbooks.checks import api, database, drift, heartbeats, migrations, security, workers
from services.domain.drift import SchemaDrift
from services.domain.errors import Unavailable
from services.domain.security import Exposure

GATES = ("API health", "Database connectivity", "Schema consistency", "Worker heartbeats", "Security audit")


@dataclass(frozen=True)
class Facts:
    """Health's facts, and what only the gate looks at."""

    health: health.Facts
    drift: SchemaDrift | Unavailable
    exposures: Sequence[Exposure] | Unavailable


def check(facts: Facts, *, strict: bool = False) -> list[Finding]:
    """One finding a gate, in the runbook's order. `strict`: a warning and an unknown fail too."""
    gates = [_gate(name, findings) for name, findings in zip(GATES, _look(facts), strict=True)]
    return [_strictly(gate) for gate in gates] if strict else gates


def _look(facts: Facts) -> list[list[Finding]]:
    seen = facts.health
    all_visible = database.sees_all(seen.server)
    beats = heartbeats.Facts(
        seen.as_of, seen.heartbeats, seen.expected, seen.stale_after, seen.expected_age, all_visible
    )
    return [
        api.check(api.Facts(seen.api, seen.environment)),
        database.check(seen.server),
        [*migrations.check(seen.migrations), *drift.check(facts.drift)],
        [
            *heartbeats.check(beats),
            *workers.check(workers.Facts(seen.as_of, seen.heartbeats, seen.stale_after)),
        ],
        security.check(facts.exposures),
    ]


def _gate(name: str, findings: Sequence[Finding]) -> Finding:
    """What is most urgent speaks for the gate; the evidence has every check behind it."""
    first = wrong_first(findings)[0]
    slug = name.lower().replace(" ", "_")
    evidence = {finding.check: {"status": finding.status.value, "title": finding.title} for finding in findings}
    title = f"{name}: {first.title}"
    return Finding(f"gate.{slug}", worst(findings), title, first.detail, evidence=evidence, next_step=first.next_step)


def _strictly(gate: Finding) -> Finding:
    if gate.status in (Status.OK, Status.FAIL):
        return gate
    why = "a warning fails under --strict" if gate.status is Status.WARN else "what is unknown fails under --strict"
    return replace(gate, status=Status.FAIL, detail=f"{gate.detail} ({why})".strip())
