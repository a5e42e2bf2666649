"""The words that every playbook speaks: findings, their status, and the next step to take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.domain.services import Service


class Status(StrEnum):
    """What a check found. UNKNOWN: a fact was missing, so nobody can say."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"

    @property
    def urgency(self) -> int:
        """Higher comes first in a report: fail, unknown, warn, ok."""
        return _URGENCY[self]


_URGENCY = {Status.OK: 0, Status.WARN: 1, Status.UNKNOWN: 2, Status.FAIL: 3}


@dataclass(frozen=True)
class NextStep:
    """What to do about a finding: a button in Slack, a line on the terminal.

    `label` has at most 30 characters; `command` is what one would type after `/dragonfly` ("logs ingest").
    `url` instead of a command leads to a page (Railway's dashboard, a runbook section).
    """

    label: str
    command: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that a check found out.

    `title` and `detail` are plain text, one short line each; they may hold untrusted words, and views escape them.
    `evidence` is JSON-able and holds no secret or personal data: the numbers behind the words, for `--json` and alerts.
    """

    check: str
    status: Status
    title: str
    detail: str = ""
    service: Service | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)
    next_step: NextStep | None = None


def worst(findings: Iterable[Finding]) -> Status:
    """The most urgent status among the findings; UNKNOWN when there are none, because nothing was looked at."""
    return max((finding.status for finding in findings), key=lambda status: status.urgency, default=Status.UNKNOWN)


def wrong_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, most urgent first, otherwise in the given order."""
    return sorted(findings, key=lambda finding: -finding.status.urgency)
