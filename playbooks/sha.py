"""Compare the deployed commit with the one that really runs (runbook, "Confirm Git SHA")

When:   after a deploy or a rollback, or when a fix seems to be missing.
Effect: none, it only reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from playbooks.checks import sha
from playbooks.checks.sha import Facts
from playbooks.model import Finding
from services.domain.deployments import Deployment, find_state
from services.domain.errors import Unavailable
from services.domain.services import Service


@dataclass(frozen=True)
class ServiceSha:
    """One service. `deployed`: the serving deployment, or None. `reported`: the commits that its processes report."""

    service: Service
    deployed: Deployment | Unavailable | None
    reported: tuple[str, ...] | Unavailable
    finding: Finding


def compare(facts: Facts) -> list[ServiceSha]:
    """One row per service."""
    findings = {finding.service: finding for finding in sha.check(facts)}
    return [
        ServiceSha(service, _serving(facts, service), sha.reported_shas(facts, service), findings[service])
        for service in facts.system.services
    ]


def overall(facts: Facts) -> Finding:
    """The finding about whether all services run the same commit."""
    return sha.check(facts)[-1]


def _serving(facts: Facts, service: Service) -> Deployment | Unavailable | None:
    state = find_state(facts.services, service)
    if isinstance(state, Unavailable):
        return state
    return state.serving if state else None
