"""Counts and averages for a period: incidents, pages, alerts, approvals and deployments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

DAY = timedelta(days=1)
SHIFT = timedelta(hours=12)  # they begin at 08:00 and 20:00
NIGHT_BEGINS = 20  # o'clock
MOST_PAGES = 2  # per shift: more leave no time to find the cause (Google, Site Reliability Engineering, chapter 11)
DECISIONS_KEPT = timedelta(days=30)  # how long the reasons for suppressed alerts are kept


@dataclass(frozen=True)
class IncidentNumbers:
    """Counts, and averages in seconds (None if nothing is counted). `acknowledge_s`: from the opening of incidents that
    paged people; `resolve_s`: from the opening; `restore_s`: from the beginning of the problem to its end."""

    incidents: int
    paged: int
    acknowledged: int
    resolved: int
    acknowledge_s: float | None
    resolve_s: float | None
    restore_s: float | None


@dataclass(frozen=True)
class Shift:
    """A 12-hour shift. `begins_at`: by the on-call schedule's wall clock. `pages`: its incidents that paged people."""

    begins_at: datetime
    pages: int

    @property
    def is_night(self) -> bool:
        return self.begins_at.hour == NIGHT_BEGINS


@dataclass(frozen=True)
class HeldBack:
    reason: str
    times: int


@dataclass(frozen=True)
class RuleNumbers:
    """The numbers of one rule. `alerts`: announced ones; `acted`: those that led to action."""

    rule: str
    alerts: int
    acted: int


@dataclass(frozen=True)
class ApprovalNumbers:
    """`wait_s`: from the request to the last approval, on average; None if no request was approved."""

    requested: int
    approved: int
    wait_s: float | None


@dataclass(frozen=True)
class DeploymentNumbers:
    """`failed`: rolled back within 1 day, or followed by a page within 1 hour. `lead_time_s`: from commit to running,
    on average over the `timed` deployments for which both times are known; None without any."""

    deployments: int
    failed: int
    timed: int = 0
    lead_time_s: float | None = None


@dataclass(frozen=True)
class Report:
    """All numbers of one period. `service`: its full name, None for all. `held_since`: the start of the records in
    `held_back`. `records_since`: when the bot was installed or its first incident began, before which nothing is known;
    None if that is unknown."""

    since: datetime
    until: datetime
    service: str | None
    incidents: IncidentNumbers
    shifts: tuple[Shift, ...]
    held_back: tuple[HeldBack, ...]
    held_since: datetime
    rules: tuple[RuleNumbers, ...]
    approvals: ApprovalNumbers
    deployments: DeploymentNumbers
    records_since: datetime | None

    @property
    def is_partly_known(self) -> bool:
        """True if the period may begin before the records do."""
        return self.records_since is None or self.records_since > self.since

    @property
    def recorded(self) -> timedelta:
        """The part of the period that has records; all of it if their start is unknown."""
        return self.until - max(self.since, self.records_since or self.since)

    @property
    def shifts_in_window(self) -> int:
        return max(round(self.recorded / SHIFT), 1)

    @property
    def busy_shifts(self) -> tuple[Shift, ...]:
        """The shifts with more pages than Google's limit."""
        return tuple(shift for shift in self.shifts if shift.pages > MOST_PAGES)

    @property
    def night_pages(self) -> int:
        return sum(shift.pages for shift in self.shifts if shift.is_night)

    @property
    def pages_per_shift(self) -> float:
        return sum(shift.pages for shift in self.shifts) / self.shifts_in_window

    @property
    def deployments_per_day(self) -> float | None:
        """None if less than 1 day was recorded."""
        return self.deployments.deployments / (self.recorded / DAY) if self.recorded >= DAY else None

    @property
    def failure_share(self) -> float | None:
        """The share of deployments that failed, 0 to 1; None without any deployment."""
        made = self.deployments
        return made.failed / made.deployments if made.deployments else None
