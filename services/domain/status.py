"""The status of a check, an answer or a report, and the risk of a change."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The status of a check. UNKNOWN: a fact was missing."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"

    @property
    def urgency(self) -> int:
        """Higher comes first in a report: fail, unknown, warn, ok."""
        return _URGENCY[self]


_URGENCY = {Status.OK: 0, Status.WARN: 1, Status.UNKNOWN: 2, Status.FAIL: 3}


class Risk(StrEnum):
    """The risk of a plan: it decides who has to agree before the plan runs."""

    LOW = "low"  # the requester confirms
    HIGH = "high"  # one approver who is not the requester
    CRITICAL = "critical"  # two distinct people, and a typed confirmation
    BREAK_GLASS = "break-glass"  # no approval: immediately, announced, reviewed afterwards
