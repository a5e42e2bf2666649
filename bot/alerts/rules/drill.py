"""Drills: a simulated worker goes through the same check as the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from bot.alerts.rules.rule import fine
from bot.alerts.snapshot import Snapshot
from bot.alerts.suppression import RuleResult
from bot.config.alerts import Rules
from playbooks.checks import heartbeats
from playbooks.model import Finding
from services.domain.alerts import MARK, RULE, Drill, Severity
from services.domain.services import WorkerType
from services.domain.thresholds import StaleLimits


def evaluate(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:  # noqa: ARG001 - the signature is given
    """Results of `drill.<id>`: always a page, without a wait. They belong to no service, so no service's problem
    suppresses them."""
    for drill in snapshot.drills:
        finding = fine(f"{MARK} {drill.id} is over") if drill.ended_at else _check(snapshot, drill)
        yield RuleResult(RULE, replace(finding, check=drill.fingerprint, service=None), Severity.PAGE, timedelta())


def next_deadline(snapshot: Snapshot) -> datetime | None:
    """The time at which the heartbeat of a simulated worker goes stale."""
    moments = [drill.stale_at for drill in snapshot.drills if drill.ended_at is None and drill.stale_at >= snapshot.now]
    return min(moments, default=None)


def _check(snapshot: Snapshot, drill: Drill) -> Finding:
    stale_after = StaleLimits(drill.stale_at - drill.beat_at)
    worker = WorkerType(drill.beat.worker_type)
    facts = heartbeats.Facts(snapshot.now, [drill.beat], {worker: 1}, stale_after, stored=True, system=snapshot.system)
    service = snapshot.system.service_of_worker(worker)
    [finding] = [one for one in heartbeats.check(facts) if one.service is service]
    return replace(finding, title=f"{MARK} {drill.id}: a simulated worker, {finding.title}", next_step=None)
