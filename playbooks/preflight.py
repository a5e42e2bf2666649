"""Is everything done that has to be done before a deploy? (runbook, "Pre-Deployment Checklist")

When:   before a deploy, in the checkout that will be deployed; `prod-gate` then checks what runs.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from playbooks import env
from playbooks.checks import checkout, migrations, security
from playbooks.checks.settings import Group, check_group
from playbooks.model import Finding, Status, gate
from services.domain.database import Exposure, MigrationStatus
from services.domain.errors import Unavailable

NEEDED = ("database", "railway", "api", "identity")  # the groups of settings without which nothing can be deployed


@dataclass(frozen=True)
class Facts:
    """`settings`: of this process, the needed groups. `env`: of the services that are to be deployed."""

    settings: Sequence[Group]
    env: env.Facts
    migrations: MigrationStatus | Unavailable
    exposures: Sequence[Exposure] | Unavailable
    checkout: checkout.Facts


def check(facts: Facts) -> list[Finding]:
    """One finding a box of the checklist, in its order; the first is what its "local preflight checks" look at."""
    boxes = {
        "Settings": [check_group(group) for group in facts.settings],
        **{f"Variables of {service.short}": found for service, found in env.check(facts.env).items()},
        "Migrations are applied": [_applied(finding) for finding in migrations.check(facts.migrations)],
        "Security audit": security.check(facts.exposures, facts.env.system),
        "No uncommitted changes": [checkout.check_clean(facts.checkout)],
        "Release is tagged": [checkout.check_tagged(facts.checkout)],
    }
    return [gate("preflight", name, findings) for name, findings in boxes.items()]


def _applied(finding: Finding) -> Finding:
    """New code on a schema that lacks its migrations fails: before a deploy this is more than a warning."""
    return replace(finding, status=Status.FAIL) if finding.evidence.get("pending") else migrations.proved(finding)
