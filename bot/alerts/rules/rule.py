"""Turns findings of checks into rule results."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.alerts.suppression import RuleResult
from bot.config.alerts import Rule
from playbooks.model import Finding, Status
from services.domain.alerts import Severity
from services.domain.services import Service


def rule_result(
    rule: str,
    settings: Rule,
    finding: Finding,
    *,
    subject: str | None = None,
    severity: Severity | None = None,
    wait: timedelta | None = None,
) -> RuleResult:
    """Return the finding under the rule's own name: "backlog", or "sha.ingest" with a subject.

    Severity and wait come from the settings if they are not given.
    """
    fingerprint = f"{rule}.{subject}" if subject else rule
    return RuleResult(
        rule,
        finding if finding.check == fingerprint else replace(finding, check=fingerprint),
        settings.severity if severity is None else severity,
        settings.wait if wait is None else wait,
    )


def only_failures(finding: Finding) -> Finding:
    """Turn a warning into OK, for rules whose threshold is the failure."""
    return replace(finding, status=Status.OK) if finding.status is Status.WARN else finding


def fine(title: str, service: Service | None = None) -> Finding:
    """A finding without a problem."""
    return Finding("", Status.OK, title, service=service)
