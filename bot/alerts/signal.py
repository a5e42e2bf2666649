"""What a rule says about one subject at one moment: a finding, and how much it matters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from playbooks._contract import Finding, Status
from services.domain.alerts import Severity


@dataclass(frozen=True)
class Signal:
    """`rule` is the rule's name in the settings, `finding.check` the alert's fingerprint.

    wait: how long the trouble must have lasted before people are told; zero: at once.
    """

    rule: str
    finding: Finding
    severity: Severity
    wait: timedelta

    @property
    def fingerprint(self) -> str:
        return self.finding.check

    @property
    def is_trouble(self) -> bool:
        return self.finding.status in (Status.FAIL, Status.WARN)

    @property
    def is_unknown(self) -> bool:
        """A fact was missing: neither trouble nor its end."""
        return self.finding.status is Status.UNKNOWN
