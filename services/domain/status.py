"""How a check, an answer or a report turned out, and how risky a change is."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """What a check found. UNKNOWN: a fact was missing."""

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
    """Who has to agree before a plan runs."""

    LOW = "low"  # the requester confirms
    HIGH = "high"  # one approver who is not the requester
    CRITICAL = "critical"  # two distinct people, and a typed confirmation
    BREAK_GLASS = "break-glass"  # no approval: immediately, announced, reviewed afterwards
