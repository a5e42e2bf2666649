"""Stale, missing, wedged, restarting and crashing workers (runbook, "Worker Heartbeat Check", "Troubleshooting")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from bot.alerts.rules._signals import fine, signal
from bot.alerts.seen import Seen
from bot.alerts.settings import Rules
from bot.alerts.signal import Signal
from playbooks._contract import Finding, Status
from playbooks.checks import heartbeats, restarts, triage, workers
from services.domain.alerts import Severity
from services.domain.errors import Unavailable
from services.domain.heartbeats import MISSED
from services.domain.services import WORKERS, WorkerType


def look(seen: Seen, rules: Rules) -> Iterator[Signal]:
    """`heartbeats.*`, `workers.*`, `restarts.*` and `crash_loop.*`."""
    yield from _heartbeats(seen, rules)
    yield from _wedged(seen, rules)
    yield from _restarts(seen, rules)


def next_deadline(seen: Seen) -> datetime | None:
    """When the next beat that counts now would go stale."""
    return heartbeats.next_deadline(_facts(seen))


def _heartbeats(seen: Seen, rules: Rules) -> Iterator[Signal]:
    """A beat that has just gone stale is told at once.

    Fewer workers than expected without one (a deploy, a scale up) may be on their way: that is told once it has lasted
    as long as a beat may be old.
    """
    for finding, worker_type in zip(heartbeats.check(_facts(seen)), WorkerType, strict=True):
        wait = timedelta() if _fell_silent(seen, worker_type) else seen.stale_after
        severity = rules.heartbeats.severity if _beating(finding) == 0 else Severity.NOTIFY
        if finding.status is Status.FAIL and _had_no_time_to_beat(seen):
            finding = replace(finding, status=Status.UNKNOWN)
        if finding.status is Status.FAIL:
            finding, severity = _triaged(seen, finding, severity)
        settings, subject = rules.heartbeats, worker_type.service.short
        wait = max(wait, settings.wait)
        yield signal("heartbeats", settings, finding, subject=subject, severity=severity, wait=wait)


def _facts(seen: Seen) -> heartbeats.Facts:
    """While nobody ever said how many should run, one of each type that beat lately is the least."""
    types = {beat.worker_type for beat in seen.heartbeats if not beat.is_stopped}
    expected = {
        worker_type: 1 if isinstance(count, Unavailable) and worker_type in types else count
        for worker_type, count in seen.expected.items()
    }
    return heartbeats.Facts(
        seen.now, seen.heartbeats, expected, seen.stale_after, seen.expected_age, seen.all_visible, stored=True
    )


def _had_no_time_to_beat(seen: Seen) -> bool:
    """The database has just come back: a worker has to reach it and beat before its silence means anything."""
    return seen.back_at is not None and seen.now < seen.back_at + MISSED


def _beating(finding: Finding) -> int:
    beating = finding.evidence.get("beating")
    return len(beating) if isinstance(beating, list) else 0


def _fell_silent(seen: Seen, worker_type: WorkerType) -> bool:
    """Whether a worker of this type fell silent within the last `stale_after`; an older one explains nothing new.

    One that was already stale when it was first seen did not fall silent: its clock may be wrong.
    """
    for beat in seen.heartbeats:
        if beat.worker_type != worker_type or beat.is_stopped:
            continue
        stale_for = seen.now - beat.stale_at(seen.stale_after)
        if timedelta() < stale_for <= seen.stale_after and (
            seen.earlier is None or beat.worker_id in seen.earlier.beats
        ):
            return True
    return False


def _triaged(seen: Seen, finding: Finding, severity: Severity) -> tuple[Finding, Severity]:
    """The finding with its probable cause; a clock that is wrong wakes nobody up, because the workers work."""
    assert finding.service is not None  # noqa: S101 - heartbeats are of a service
    api = None if seen.api is None or isinstance(seen.api, Unavailable) else seen.api.db_connected
    facts = triage.Facts(seen.now, seen.heartbeats, seen.stale_after, seen.services, api, seen.earlier)
    verdict = triage.triage(facts, finding.service)
    last, *rest = finding.detail.split("; ")
    detail = "; ".join([f"{last}, {verdict.cause}: {verdict.why}", *rest])
    evidence = {**finding.evidence, "cause": verdict.cause.value, "why": verdict.why}
    severity = Severity.NOTIFY if verdict.cause is triage.Cause.CLOCK else severity
    return replace(finding, detail=detail, evidence=evidence), severity


def _wedged(seen: Seen, rules: Rules) -> Iterator[Signal]:
    """Workers that beat and get nowhere. Without their database, or at their end, they are another rule's."""
    settings = rules.workers
    facts = workers.Facts(
        seen.now,
        seen.heartbeats,
        seen.stale_after,
        timedelta(seconds=settings.stuck_after_s),
        timedelta(seconds=settings.slow_start_after_s),
        stored=True,
    )
    wedged = [finding for finding in workers.check(facts) if finding.status is Status.WARN]
    for service in WORKERS:
        own = [finding for finding in wedged if finding.service is service]
        for finding in own or [fine(f"{service.short} workers get on", service)]:
            yield signal("workers", settings, finding, subject=service.short)


def _restarts(seen: Seen, rules: Rules) -> Iterator[Signal]:
    facts = restarts.Facts(
        as_of=seen.now,
        heartbeats=seen.heartbeats,
        expected=seen.expected,
        services=seen.services,
        stale_after=seen.stale_after,
        window=timedelta(seconds=rules.restarts.window_s),
        starts_per_replica=rules.restarts.starts_per_replica,
    )
    for finding in restarts.check(facts):
        rule, subject = finding.check.split(".")
        settings = rules.restarts if rule == "restarts" else rules.crash_loop
        yield signal(rule, settings, finding, subject=subject)
