"""Decide whether this environment may be deployed to (runbook, "Automated Prod Gate")

When:   right before a deploy, by a person or by a script that reads the exit code.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from playbooks import health
from playbooks.checks import api, database, drift, heartbeats, migrations, security, workers
from playbooks.model import Finding, Status, gate
from playbooks.root_causes import Diagnosed, Diagnosis
from services.domain.database import Exposure, SchemaDrift
from services.domain.errors import Unavailable

GATES = ("API health", "Database connectivity", "Schema consistency", "Worker heartbeats", "Security audit")


@dataclass(frozen=True)
class Facts:
    """The facts of `health`, and those that only the gate reads."""

    health: health.Facts
    drift: SchemaDrift | Unavailable
    exposures: Sequence[Exposure] | Unavailable


def check(facts: Facts, *, strict: bool = False) -> list[Finding]:
    """One finding per gate, in the runbook's order. `strict`: a warning and an unknown fail too."""
    found = [gate("gate", name, findings) for name, findings in zip(GATES, _checks(facts), strict=True)]
    return [_strictly(finding) for finding in found] if strict else found


def find_causes(facts: Facts) -> Diagnosed:
    """The causes of the gates' findings, the same that `health` names: a crashed deploy is no finding of a gate."""
    own = [finding for findings in _checks(facts) for finding in findings]
    gated = {finding.check for finding in own}
    beyond = [finding for finding in health.check(facts.health) if finding.check not in gated]
    found = health.diagnose_with(facts.health, [*own, *beyond])
    return replace(found, diagnoses=tuple(one for one in found.diagnoses if gated & _explained_by(one)))


def is_explained(found: Finding, diagnosed: Diagnosed) -> bool:
    """True if a cause explains everything that keeps a gate shut."""
    explained = {check for one in diagnosed.diagnoses for check in _explained_by(one)}
    shut = [check for check, seen in found.evidence.items() if isinstance(seen, dict) and seen["status"] != Status.OK]
    return bool(shut) and explained.issuperset(shut)


def _explained_by(diagnosis: Diagnosis) -> set[str]:
    return {diagnosis.finding.check, *diagnosis.cause.sources, *(one.check for one in diagnosis.follows)}


def _checks(facts: Facts) -> list[list[Finding]]:
    seen = facts.health
    all_visible = database.sees_all(seen.server)
    beats = heartbeats.Facts(
        seen.as_of, seen.heartbeats, seen.expected, seen.stale_after, seen.expected_age, all_visible, system=seen.system
    )
    return [
        api.check(
            api.Facts(
                seen.api,
                seen.environment,
                others_answer=not isinstance(seen.services, Unavailable),
                system=seen.system,
            )
        ),
        database.check(seen.server),
        [*map(migrations.proved, migrations.check(seen.migrations)), *drift.check(facts.drift)],
        [
            *heartbeats.check(beats),
            *workers.check(workers.Facts(seen.as_of, seen.heartbeats, seen.stale_after, system=seen.system)),
        ],
        security.check(facts.exposures, seen.system),
    ]


def _strictly(finding: Finding) -> Finding:
    if finding.status in (Status.OK, Status.FAIL):
        return finding
    why = "a warning fails under --strict" if finding.status is Status.WARN else "what is unknown fails under --strict"
    return replace(finding, status=Status.FAIL, detail=f"{finding.detail} ({why})".strip())
