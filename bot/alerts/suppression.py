"""Rule results, and the reasons to suppress an alert: a silence, a known cause, or a run in progress; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from bot.config.alerts import AnnouncementSettings
from playbooks.model import Finding, Status
from services.domain.alerts import Alert, AlertState, Severity, Silence
from services.domain.services import Service


@dataclass(frozen=True)
class RuleResult:
    """A rule's finding about one subject. `rule`: the rule's name in the settings; `finding.check`: the fingerprint.

    wait: how long the problem must last before people are notified; 0: they are notified immediately.
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
        """True if a fact was missing: this neither opens nor ends an alert."""
        return self.finding.status is Status.UNKNOWN


# {rule: the rules whose problem may be its cause}
CAUSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "heartbeats": ("database", "writes"),
        "workers": ("database", "writes"),
        "restarts": ("database", "writes", "crash_loop"),
        "crash_loop": ("database", "writes"),
        "slow_api": ("api", "database", "writes"),
        "intake": ("api", "database", "writes"),
        "backlog": ("database", "writes", "heartbeats", "crash_loop"),
        "failed_jobs": ("database", "writes"),
        "failure_rate": ("database", "writes", "failed_jobs"),
        "unclaimed": ("database", "writes"),
        "exhausted": ("database", "writes", "failed_jobs"),
        "orphaned": ("database", "writes", "heartbeats", "crash_loop"),
        "deployments": ("crash_loop",),
        "sha": ("deployments", "heartbeats"),
    }
)
# Rules on times in the database: not reliable just after a time without writes to it, or without evaluations.
TIMED = frozenset({"heartbeats", "workers", "backlog", "orphaned"})


@dataclass(frozen=True)
class WorkingRun:
    """A run in progress. `services`: those that it holds; `message_key`: its message in the outbox."""

    id: int
    services: frozenset[Service]
    message_key: str


@dataclass(frozen=True)
class EvaluationContext:
    """Input for decisions besides the rule results. `now`: the database's clock.

    blind_until: after a time without evaluations or database, the moment until which its effects may last; else None.
    """

    now: datetime
    telling: AnnouncementSettings
    silences: Sequence[Silence] = ()
    runs: Sequence[WorkingRun] = ()
    blind_until: datetime | None = None

    def after(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Suppression:
    """A reason not to announce an alert. `reason`: for `why`. `until`: when it ends by itself; None if an event ends
    it.

    `run`: the alert is reported in the thread of this run's message.
    """

    reason: str
    until: datetime | None = None
    run: WorkingRun | None = None


def find_suppression(
    result: RuleResult, since: datetime, alerts: Sequence[Alert], around: EvaluationContext
) -> Suppression | None:
    """Return the first reason not to announce this problem, which began at `since`; None: announce it."""
    return (
        find_silence(result.fingerprint, result.finding.service, around)
        or _find_blindness(result, around)
        or _find_cause(result, alerts, around)
        or _find_run(result, since, around)
    )


def find_silence(fingerprint: str, service: Service | None, around: EvaluationContext) -> Suppression | None:
    """Return the silence that covers the alert and lasts longest."""
    covering = [one for one in around.silences if one.covers(fingerprint, service) and one.ends_at > around.now]
    if not covering:
        return None
    last = max(covering, key=lambda one: one.ends_at)
    return Suppression(f"silence {last.id}: {last.reason}", last.ends_at)


def _find_blindness(result: RuleResult, around: EvaluationContext) -> Suppression | None:
    if result.rule not in TIMED or around.blind_until is None or around.blind_until <= around.now:
        return None
    return Suppression(
        "the evaluator was not running, or the database was unreachable, until a moment ago", around.blind_until
    )


def _find_cause(result: RuleResult, alerts: Sequence[Alert], around: EvaluationContext) -> Suppression | None:
    """Find a cause of at least the same severity that is announced, or was until a moment ago."""
    for alert in alerts:
        if not _explains(alert, result):
            continue
        if alert.state is AlertState.FIRING and not alert.held:
            return Suppression(f"explained by {alert.fingerprint}, which is firing")
        ended = alert.resolved_at if alert.state is AlertState.RESOLVED else None
        until = ended + timedelta(seconds=around.telling.aftermath_s) if ended else around.now
        if until > around.now:
            return Suppression(f"explained by {alert.fingerprint}, which just ended", until)
    return None


def _explains(alert: Alert, result: RuleResult) -> bool:
    """True if the alert may be the cause. A service's alert explains no other service's problem, a notification no
    page."""
    loud = alert.severity is Severity.PAGE or result.severity is Severity.NOTIFY
    same = alert.service is None or result.finding.service in (None, alert.service)
    return loud and same and alert.rule in CAUSES.get(result.rule, ())


def _find_run(result: RuleResult, since: datetime, around: EvaluationContext) -> Suppression | None:
    """Find a run that works on the service, for at most `run_patience_s`. A failed run does not count."""
    until = since + timedelta(seconds=around.telling.run_patience_s)
    service = result.finding.service
    if service is None or until <= around.now:
        return None
    run = next((run for run in around.runs if service in run.services), None)
    return Suppression(f"run {run.id} works on {service.short}", until, run) if run else None
