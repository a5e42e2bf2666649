"""Findings of checks as results of rules."""

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
    """The finding under the rule's own name: "backlog", or "sha.ingest" with a subject.

    Severity and wait are the settings' where nothing else is given.
    """
    fingerprint = f"{rule}.{subject}" if subject else rule
    return RuleResult(
        rule,
        finding if finding.check == fingerprint else replace(finding, check=fingerprint),
        settings.severity if severity is None else severity,
        settings.wait if wait is None else wait,
    )


def only_failures(finding: Finding) -> Finding:
    """The finding without its warnings, for rules whose threshold is the failure."""
    return replace(finding, status=Status.OK) if finding.status is Status.WARN else finding


def fine(title: str, service: Service | None = None) -> Finding:
    """There is nothing of the kind."""
    return Finding("", Status.OK, title, service=service)
