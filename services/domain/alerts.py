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

CALM = "fine since "  # begins the part of an alert's line that says that it is fine, and watched still

WORKERS_GONE = frozenset({"crash_loop", "heartbeats"})  # two rules for one outage: whichever fires first announces it


def is_same_outage(fingerprint: str, firing: Iterable[str]) -> bool:
    """Whether one of the firing alerts has announced it: workers that crash are also workers that do not beat."""
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
    """A change of an alert: people were notified, its text changed, or it ended."""

    FIRED = "fired"
    CHANGED = "changed"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Alert:
    """One kind of problem (`fingerprint`) from its first sight on; the row stays when it is over, for `why`.

    Times are the database's clock. opened_at: when it was seen at all; since: when it was seen this time. fires: how
    often it fired. told_at: the last notification; said_at: when the words of
    its message were last changed. fine_since: it fires and looks fine, but fired again before. held: why no one is
    notified
    (a silence, a known cause, a running change, no evaluation); empty when nothing holds it. line: the page line
    as plain text. message_key: its message in the outbox, which it may share. id: None until it is stored.
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
    """A page line in its parts. `rest`: what was deployed, the queue, that it is fine for now."""

    place: str
    title: str
    detail: str
    rest: Sequence[str]


def read_page_line(line: str) -> PageLine:
    """The parts of an alert's stored line, "PAGE prod · ingest is down (0 of 2), last beat 6 min ago · 318 waiting"."""
    place, *rest = line.removeprefix("PAGE ").removeprefix("Resolved ").split(" · ")
    title, _, detail = (rest[0] if rest else "").partition(", ")
    return PageLine(place, title, detail, rest[1:])


@dataclass(frozen=True)
class KnownCause:
    """The most likely cause of an alert or an incident.

    title: plain text, not escaped yet. since: None where unknown. remedy: the command line against it; None where no
    command is.
    """

    title: str
    since: datetime | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class AlertEvent:
    """What happened to an alert, for those who act on it: incidents, pagers.

    `line` is the page line as plain text, not escaped yet. `at` is the database's clock.
    `message_key` is the outbox key of the alert's message, whose thread is where people talk about it; several alerts
    may share one. `again`: people were notified in the last hour and it seemed over, or a silence has ended; where
    its incident is still open that is no new page. `silenced`: a silence began to cover it; the
    its end is announced as `again`. `deployed_at`: the time of the deploy that may be the reason, None without one.
    `cause`: what is known to be the reason at this moment.
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
    """A silence of `what`: a fingerprint, its beginning ("heartbeats"), or a service ("ingest").

    owner: a Slack user id. in_advance: nothing of the kind was open when it was made (planned work), so it lasts until
    its end; otherwise it ends with the alerts that it is about. ended_at, outcome: None and empty while it lasts.
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
        """Whether an alert of this fingerprint and service is meant."""
        return is_meant(self.what, fingerprint, service)


@dataclass(frozen=True)
class PlannedSilence:
    """A silence of planned work, which begins at `begins_at`. `recurrence`: its windows; None: it comes once, or
    (`is_unreadable`) on a schedule that this version can't read.

    reminded_for: the beginning that its owner was reminded of last; its own end once an unreadable one has begun.
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
        """Whether it has begun, and waits for a version that can read when it comes again."""
        return self.reminded_for == self.ends_at

    @property
    def again(self) -> str | None:
        """When it comes again, in words; None: it does not."""
        if self.is_unreadable:
            return "again at times that this version can't read"
        return self.recurrence.words if self.recurrence else None


def is_meant(what: str, fingerprint: str, service: Service | None) -> bool:
    """Whether a name that people use means this alert: its fingerprint, the beginning of one, or its service."""
    by_name = fingerprint == what or fingerprint.startswith(f"{what}.")
    return by_name or (service is not None and service.short == what)


def in_order(message_keys: Iterable[str]) -> list[str]:
    """The keys of messages ("alert:12"), each once and the oldest first.

    A writer of several locks them in this order, so that two writers never deadlock.
    """
    return sorted(set(message_keys), key=lambda key: (len(key), key))


@dataclass(frozen=True)
class AlertDecision:
    """One decision to notify people or not, with its reason, as it was stored."""

    at: datetime
    fingerprint: str
    alert_id: int | None
    decision: str
    reason: str


@dataclass(frozen=True)
class AlertHistory:
    """One alert: as it stands (None: nothing of the kind for a month), and the newest decisions about it."""

    fingerprint: str
    alert: Alert | None
    decisions: tuple[AlertDecision, ...]


RULE = "drill"  # of its alert; no real one is called so
DRILL_WORKER = WorkerType.INGEST  # what the made-up worker is
MARK = "DRILL"  # stands in every title and line of a drill


@dataclass(frozen=True)
class Drill:
    """A made-up worker whose last beat counts until `stale_at`. `report`: what came of it; None: it is under way."""

    id: int
    asked_by: Person
    asked_at: datetime
    beat_at: datetime
    stale_at: datetime
    ended_at: datetime | None
    report: Mapping[str, Any] | None

    @property
    def fingerprint(self) -> str:
        """Of its alert: each drill has one of its own."""
        return f"{RULE}.{self.id}"

    @property
    def beat(self) -> Heartbeat:
        """The last sign of the made-up worker."""
        return Heartbeat(f"drill-{self.id}", DRILL_WORKER, "running", self.beat_at)


@dataclass(frozen=True)
class DrillTraces:
    """What a drill has left behind so far. `held`: why its alert is not announced; empty when nothing holds it."""

    alert_id: int
    fired_at: datetime | None
    held: str
    message_key: str | None
    message_ts: str | None
    incident_id: int | None


def is_drill(fingerprint: str) -> bool:
    """Whether an alert of this fingerprint is a drill's."""
    return fingerprint.startswith(f"{RULE}.")
