"""Check everything that has to be done before a deploy (runbook, "Pre-Deployment Checklist")

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

NEEDED = ("database", "railway", "api", "identity")  # the groups of settings that a deploy needs


@dataclass(frozen=True)
class Facts:
    """`settings`: of this process, the needed groups. `env`: of the services to be deployed."""

    settings: Sequence[Group]
    env: env.Facts
    migrations: MigrationStatus | Unavailable
    exposures: Sequence[Exposure] | Unavailable
    checkout: checkout.Facts


def check(facts: Facts) -> list[Finding]:
    """One finding per box of the checklist, in its order; the first box is the runbook's "local preflight checks"."""
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
    """Pending migrations fail: before a deploy, new code on an old schema is more than a warning."""
    return replace(finding, status=Status.FAIL) if finding.evidence.get("pending") else migrations.proved(finding)
