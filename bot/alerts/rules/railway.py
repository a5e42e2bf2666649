"""Deployments, commits, and what a rollback left on (runbook, "Deployment Verification", "Rollback Procedures")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from bot.alerts.rules.rule import fine, signal
from bot.alerts.snapshot import Snapshot
from bot.alerts.suppression import RuleResult
from bot.config.alerts import Rules
from playbooks.checks import deployments, sha
from playbooks.model import Finding, NextStep, Status
from services.domain.deployments import DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service


def look(seen: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """`deployments.*`, `sha.*`, `locks.*` and `freezes.*`."""
    if seen.services is not None and not isinstance(seen.services, Unavailable):
        yield from _deployments(seen.services, rules)
        yield from _shas(seen, rules)
    if seen.work is not None:
        yield from _locks(seen, rules)
    if seen.auto_deploy is not None:
        yield from _freezes(seen, rules)


def _deployments(services: Mapping[Service, ServiceState], rules: Rules) -> Iterator[RuleResult]:
    """A worker that was stopped on purpose shows in `health`, and is not announced."""
    settings = rules.deployments
    for finding in deployments.check(services):
        state = services.get(finding.service) if finding.service else None
        if state is not None and state.is_stopped and state.service.worker_type is not None:
            finding = replace(finding, status=Status.OK)
        has_failed = state is not None and state.latest is not None and state.latest.status is DeploymentStatus.FAILED
        wait = settings.failed_wait if has_failed else settings.wait
        yield signal("deployments", settings, finding, subject=finding.check.split(".")[-1], wait=wait)


def _shas(seen: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    assert seen.services is not None  # noqa: S101 - the caller asked
    api = Unavailable("API", "not asked") if seen.api is None else seen.api
    for finding in sha.check(sha.Facts(seen.now, seen.stale_after, seen.services, api, seen.heartbeats)):
        yield signal("sha", rules.sha, finding, subject=finding.check.split(".")[-1])


def _locks(seen: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """One a service, also without a lock: so that the alert ends with it."""
    assert seen.work is not None  # noqa: S101 - the caller asked
    if isinstance(seen.work.locks, Unavailable):
        return
    forgotten_after = timedelta(seconds=rules.locks.after_s)
    told = deployments.check_locks(seen.work.locks, seen.now, forgotten_after=forgotten_after, stored=True)
    found = {one.service: one for one in told}
    for service in Service:
        finding = found.get(service) or fine(f"{service.short} is not locked", service)
        yield signal("locks", rules.locks, finding, subject=service.short)


def _freezes(seen: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """Frozen without a lock that says why, while others are not: where none deploys by itself, it is meant so."""
    assert seen.auto_deploy is not None  # noqa: S101 - the caller asked
    known = {service: on for service, on in seen.auto_deploy.items() if not isinstance(on, Unavailable)}
    locked = _locked(seen)
    for service, is_on in known.items():
        is_frozen = not is_on and any(known.values()) and service not in locked
        finding = _frozen(service) if is_frozen else fine(f"{service.short} is not frozen", service)
        finding = replace(finding, evidence={"auto_deploy": is_on})
        yield signal("freezes", rules.freezes, finding, subject=service.short)


def _locked(seen: Snapshot) -> set[Service]:
    """Every service while the facts are unknown: then nothing is left on without reason."""
    if seen.work is None or isinstance(seen.work.locks, Unavailable):
        return set(Service)
    return {lock.service for lock in seen.work.locks}


def _frozen(service: Service) -> Finding:
    title = f"auto-deploy of {service.short} is off, and no lock explains it"
    detail = "a push to main does not deploy it; unlock turns it on again"
    return Finding("", Status.WARN, title, detail, service, next_step=NextStep("How to", "help unlock"))
