"""Stale, missing, hanging, restarting and crashing workers (runbook, "Worker Heartbeat Check", "Troubleshooting").

The words of their alerts are those of the checks in `playbooks.checks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from bot.alerts.rules.rule import fine, rule_result
from bot.alerts.snapshot import Snapshot
from bot.alerts.suppression import RuleResult
from bot.config.alerts import Rules
from playbooks.checks import heartbeats, restarts, triage, workers
from playbooks.model import Finding, Status
from services.domain.alerts import Severity
from services.domain.errors import Unavailable
from services.domain.jobs import MISSED
from services.domain.services import WorkerType


def evaluate(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """Results of `heartbeats.*`, `workers.*`, `restarts.*` and `crash_loop.*`."""
    yield from _heartbeats(snapshot, rules)
    yield from _stuck(snapshot, rules)
    yield from _restarts(snapshot, rules)


def next_deadline(snapshot: Snapshot) -> datetime | None:
    """The time at which the next fresh heartbeat would go stale."""
    return heartbeats.next_deadline(_facts(snapshot))


def _heartbeats(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """Results per worker type. A heartbeat that has just gone stale is announced immediately.

    Missing workers without a stale heartbeat may be on their way (a deploy, a scale up): they are announced once that
    has lasted as long as the heartbeat limit.
    """
    for finding, service in zip(heartbeats.check(_facts(snapshot)), snapshot.system.workers, strict=True):
        worker_type = service.worker_type or WorkerType()
        wait = timedelta() if _went_stale_recently(snapshot, worker_type) else snapshot.stale_after.of(worker_type)
        expected = snapshot.expected.get(worker_type)
        left = (_beating(finding), expected) if isinstance(expected, int) else None
        severity = _lower_if_enough_left(snapshot, rules, rules["heartbeats"].severity, left)
        if finding.status is Status.FAIL and _has_just_come_back(snapshot):
            finding = replace(finding, status=Status.UNKNOWN)
        if finding.status is Status.FAIL:
            finding, severity = _with_cause(snapshot, finding, severity)
        settings, subject = rules["heartbeats"], service.short
        wait = max(wait, settings.wait)
        yield rule_result("heartbeats", settings, finding, subject=subject, severity=severity, wait=wait)


def _facts(snapshot: Snapshot) -> heartbeats.Facts:
    """The facts for the check. While the wanted replicas are unknown, at least one of each type with a recent heartbeat
    is expected."""
    types = {beat.worker_type for beat in snapshot.heartbeats if not beat.is_stopped}
    expected = {
        worker_type: 1 if isinstance(count, Unavailable) and worker_type in types else count
        for worker_type, count in snapshot.expected.items()
    }
    return heartbeats.Facts(
        snapshot.now,
        snapshot.heartbeats,
        expected,
        snapshot.stale_after,
        snapshot.expected_age,
        snapshot.all_visible,
        stored=True,
        system=snapshot.system,
    )


def _has_just_come_back(snapshot: Snapshot) -> bool:
    """True just after the database came back: workers first have to reach it and write a heartbeat."""
    return snapshot.back_at is not None and snapshot.now < snapshot.back_at + MISSED


def _beating(finding: Finding) -> int:
    beating = finding.evidence.get("beating")
    return len(beating) if isinstance(beating, list) else 0


def _went_stale_recently(snapshot: Snapshot, worker_type: WorkerType) -> bool:
    """True if a worker of this type went stale no longer ago than its limit; an older one explains nothing new.

    A worker that was stale when it was first read does not count: its clock may be wrong.
    """
    for beat in snapshot.heartbeats:
        if beat.worker_type != worker_type or beat.is_stopped:
            continue
        stale_for = snapshot.now - beat.stale_at(snapshot.stale_after)
        if timedelta() < stale_for <= snapshot.stale_after.of(worker_type) and (
            snapshot.earlier is None or beat.worker_id in snapshot.earlier.beats
        ):
            return True
    return False


def _with_cause(snapshot: Snapshot, finding: Finding, severity: Severity) -> tuple[Finding, Severity]:
    """Add the probable cause to the finding. A wrong clock pages no one, because the workers work."""
    assert finding.service is not None  # noqa: S101 - heartbeats are of a service
    api = None if snapshot.api is None or isinstance(snapshot.api, Unavailable) else snapshot.api.db_connected
    facts = triage.Facts(
        snapshot.now,
        snapshot.heartbeats,
        snapshot.stale_after,
        snapshot.services,
        api,
        snapshot.earlier,
        system=snapshot.system,
    )
    verdict = triage.triage(facts, finding.service)
    last, *rest = finding.detail.split("; ")
    detail = "; ".join([f"{last}, {verdict.cause}: {verdict.why}", *rest])
    evidence = {**finding.evidence, "cause": verdict.cause.value, "why": verdict.why}
    severity = Severity.NOTIFY if verdict.cause is triage.Cause.CLOCK else severity
    return replace(finding, detail=detail, evidence=evidence), severity


def _stuck(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """Workers with fresh heartbeats and no progress. Other rules cover workers without their database, or that are
    stopping."""
    settings = rules.workers
    facts = workers.Facts(
        snapshot.now,
        snapshot.heartbeats,
        snapshot.stale_after,
        timedelta(seconds=settings.stuck_after_s),
        timedelta(seconds=settings.slow_start_after_s),
        stored=True,
        system=snapshot.system,
    )
    wedged = [finding for finding in workers.check(facts) if finding.status is Status.WARN]
    for service in snapshot.system.workers:
        own = [finding for finding in wedged if finding.service is service]
        for finding in own or [fine(f"{service.short} workers make progress", service)]:
            yield rule_result("workers", settings, finding, subject=service.short)


def _restarts(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    facts = restarts.Facts(
        as_of=snapshot.now,
        heartbeats=snapshot.heartbeats,
        expected=snapshot.expected,
        services=snapshot.services,
        stale_after=snapshot.stale_after,
        window=timedelta(seconds=rules.restarts.window_s),
        starts_per_replica=rules.restarts.starts_per_replica,
        usage=snapshot.usage,
        system=snapshot.system,
    )
    for finding in restarts.check(facts):
        rule, subject = finding.check.split(".")
        if rule == "restarts":
            yield rule_result(rule, rules.restarts, finding, subject=subject)
        else:
            finding, severity = _crashed(snapshot, rules, finding)
            yield rule_result(rule, rules["crash_loop"], finding, subject=subject, severity=severity)


def _crashed(snapshot: Snapshot, rules: Rules, finding: Finding) -> tuple[Finding, Severity]:
    """Severity of crashes, by the share of workers left. One that gave up after failures pages, because the others run
    the same code on the same jobs."""
    left = _count_left(snapshot, finding) if "crashed" in finding.evidence else None
    severity = _lower_if_enough_left(snapshot, rules, rules["crash_loop"].severity, left)
    if left is None or not left[0]:
        return finding, severity
    working, wanted = left
    return replace(finding, detail=f"{finding.detail}; {working} of {wanted} still work"), severity


def _count_left(snapshot: Snapshot, finding: Finding) -> tuple[int, int] | None:
    """`(working, wanted)`: workers that run according to Railway and have fresh heartbeats; None if unknown."""
    service = finding.service
    if (
        service is None
        or service.worker_type is None
        or isinstance(snapshot.services, Unavailable)
        or not snapshot.services
    ):
        return None
    state = snapshot.services.get(service)
    if state is None or state.replicas_wanted is None:
        return None
    own = [beat for beat in snapshot.heartbeats if beat.worker_type == service.worker_type]
    beating = sum(beat.is_beating(snapshot.now, snapshot.stale_after) for beat in own)
    running = state.serving.running_instances if state.serving else 0
    return min(running, beating), state.replicas_wanted


def _lower_if_enough_left(
    snapshot: Snapshot, rules: Rules, severity: Severity, left: tuple[int, int] | None
) -> Severity:
    """Lower the severity if half of the workers or more are left and no jobs wait. Unknown counts as none left."""
    if left is None or not left[0] or 2 * left[0] < left[1] or _jobs_wait(snapshot, rules):
        return severity
    return Severity.NOTIFY


def _jobs_wait(snapshot: Snapshot, rules: Rules) -> bool:
    """True if a job has been due for longer than `backlog` warns after, or if that is unknown."""
    queue = snapshot.work.queue if snapshot.work else None
    if queue is None or isinstance(queue, Unavailable):
        return queue is not None
    waits_since = queue.oldest_pending_at
    return waits_since is not None and queue.as_of - waits_since > timedelta(seconds=rules.backlog.warn_after_s)
