"""Alerts, silences and drills."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.domain.jobs import Heartbeat
from services.domain.people import Person
from services.domain.services import Service, WorkerType
from services.domain.windows import Recurrence

CALM = "fine since "  # starts the part of an alert's line that says that it looks fine and is still watched

WORKERS_GONE = frozenset({"crash_loop", "heartbeats"})  # two rules for one outage: the first to fire announces it


def is_same_outage(fingerprint: str, firing: Iterable[str]) -> bool:
    """True if a firing alert already announced this outage: workers that crash also stop writing heartbeats."""
    rule, _, where = fingerprint.partition(".")
    others = {f"{other}.{where}" for other in WORKERS_GONE - {rule}}
    return rule in WORKERS_GONE and not others.isdisjoint(firing)


class Severity(StrEnum):
    """`page`: wakes a person; `notify`: posted in the channel, can wait for business hours."""

    PAGE = "page"
    NOTIFY = "notify"


class AlertState(StrEnum):
    """`pending`: detected, not announced yet; `firing`: people were notified; `resolved`: ended, may fire again."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class AlertChange(StrEnum):
    """A change of an alert that is announced: it fired, its text changed, or it ended."""

    FIRED = "fired"
    CHANGED = "changed"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Alert:
    """One kind of problem (`fingerprint`) from its first detection on; the row stays after the problem is over, for
    `why`.

    Times are the database's clock. opened_at: the first detection ever; since: the first detection this time. fires:
    how often it fired. told_at: the last notification; said_at: the last change of its message's text. fine_since:
    since when it looks fine although it still counts as firing; None while the problem is there. held: why the alert
    isn't announced (a silence, a known cause, a running change, no evaluation); empty if nothing suppresses it. line:
    the page line as plain text. message_key: its message in the outbox, which several alerts may share. id: None until
    it is stored.
    """

    fingerprint: str
    rule: str
    state: AlertState
    severity: Severity
    service: Service | None
    title: str
    detail: str
    since: datetime
    opened_at: datetime
    fires: int = 0
    fired_at: datetime | None = None
    told_at: datetime | None = None
    said_at: datetime | None = None
    fine_since: datetime | None = None
    resolved_at: datetime | None = None
    held: str = ""
    line: str = ""
    message_key: str | None = None
    id: int | None = None

    @property
    def is_open(self) -> bool:
        return self.state is not AlertState.RESOLVED


@dataclass(frozen=True)
class PageLine:
    """The parts of a page line. `rest`: the deploy before it, the backlog, and whether it looks fine for now."""

    place: str
    title: str
    detail: str
    rest: Sequence[str]


def read_page_line(line: str) -> PageLine:
    """Parse an alert's stored line, "PAGE prod · ingest is down (0 of 2), last beat 6 min ago · 318 waiting"."""
    place, *rest = line.removeprefix("PAGE ").removeprefix("Resolved ").split(" · ")
    title, _, detail = (rest[0] if rest else "").partition(", ")
    return PageLine(place, title, detail, rest[1:])


@dataclass(frozen=True)
class KnownCause:
    """The most likely cause of an alert or an incident.

    title: plain text, not escaped yet. since: None if unknown. remedy: the command line against it; None if there is no
    command.
    """

    title: str
    since: datetime | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class AlertEvent:
    """A change of an alert, as incidents and pagers receive it.

    `line` is the page line as plain text, not escaped yet. `at` is the database's clock. `message_key` is the outbox
    key of the alert's message, whose thread is where people discuss it; several alerts may share one. `again`: people
    were notified in the last hour and the problem seemed over, or a silence has ended; if its incident is still open,
    that is no new page. `silenced`: a silence began to cover it; the end of that silence is announced with `again`.
    `deployed_at`: the time of the deploy that may be the reason, None without one. `cause`: the cause as far as it is
    known at this moment.
    """

    alert_id: int
    fingerprint: str
    change: AlertChange
    severity: Severity
    service: Service | None
    title: str
    line: str
    at: datetime
    message_key: str
    again: bool = False
    silenced: bool = False
    deployed_at: datetime | None = None
    cause: KnownCause | None = None


@dataclass(frozen=True)
class Silence:
    """A silence of `what`: a fingerprint, the beginning of one ("heartbeats"), or a service ("ingest").

    owner: a Slack user id. in_advance: no alert that it covers was open when it was created (planned work), so it lasts
    until `ends_at`; otherwise it ends with the alerts that it covers. ended_at, outcome: None and empty while it lasts.
    """

    id: int
    what: str
    owner: str
    reason: str
    created_at: datetime
    ends_at: datetime
    in_advance: bool
    reminded_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str = ""

    def covers(self, fingerprint: str, service: Service | None) -> bool:
        """True if it covers an alert of this fingerprint and service."""
        return is_meant(self.what, fingerprint, service)


@dataclass(frozen=True)
class PlannedSilence:
    """A silence of planned work, which starts at `begins_at`. `recurrence`: its windows; None if it doesn't recur, or
    (`is_unreadable`) recurs on a schedule that this version can't read.

    reminded_for: the start of the window of which its owner was last reminded; `ends_at` once an unreadable one has
    begun.
    """

    id: int
    what: str
    owner: str
    reason: str
    begins_at: datetime
    ends_at: datetime
    recurrence: Recurrence | None = None
    reminded_for: datetime | None = None
    is_unreadable: bool = False

    @property
    def is_kept(self) -> bool:
        """True if it has begun and is kept for a version that can read its schedule."""
        return self.reminded_for == self.ends_at

    @property
    def again(self) -> str | None:
        """The recurrence in words; None if it doesn't recur."""
        if self.is_unreadable:
            return "again at times that this version can't read"
        return self.recurrence.words if self.recurrence else None


def is_meant(what: str, fingerprint: str, service: Service | None) -> bool:
    """True if a name that people type means this alert: its fingerprint, the beginning of one, or its service."""
    by_name = fingerprint == what or fingerprint.startswith(f"{what}.")
    return by_name or (service is not None and service.short == what)


def in_order(message_keys: Iterable[str]) -> list[str]:
    """The keys of messages ("alert:12"), each once and the oldest first.

    A caller that writes several messages locks them in this order, so that two callers never deadlock.
    """
    return sorted(set(message_keys), key=lambda key: (len(key), key))


@dataclass(frozen=True)
class AlertDecision:
    """A stored decision to announce an alert or not, with its reason."""

    at: datetime
    fingerprint: str
    alert_id: int | None
    decision: str
    reason: str


@dataclass(frozen=True)
class AlertHistory:
    """One alert in its current state (None if it hasn't occurred for a month), with the newest decisions about it."""

    fingerprint: str
    alert: Alert | None
    decisions: tuple[AlertDecision, ...]


RULE = "drill"  # the rule of a drill's alert; no real rule has this name
DRILL_WORKER = WorkerType.INGEST  # the type of the simulated worker
MARK = "DRILL"  # in every title and line of a drill


@dataclass(frozen=True)
class Drill:
    """A rehearsed page about a simulated worker whose last beat counts until `stale_at`. `report`: its result; None
    while the drill is running."""

    id: int
    asked_by: Person
    asked_at: datetime
    beat_at: datetime
    stale_at: datetime
    ended_at: datetime | None
    report: Mapping[str, Any] | None

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its alert; each drill has its own."""
        return f"{RULE}.{self.id}"

    @property
    def beat(self) -> Heartbeat:
        """The last heartbeat of the simulated worker."""
        return Heartbeat(f"drill-{self.id}", DRILL_WORKER, "running", self.beat_at)


@dataclass(frozen=True)
class DrillTraces:
    """The effects of a drill so far. `held`: why its alert isn't announced; empty if nothing suppresses it."""

    alert_id: int
    fired_at: datetime | None
    held: str
    message_key: str | None
    message_ts: str | None
    incident_id: int | None


def is_drill(fingerprint: str) -> bool:
    """True if this is the fingerprint of a drill's alert."""
    return fingerprint.startswith(f"{RULE}.")
