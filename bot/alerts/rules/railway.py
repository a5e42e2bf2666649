"""Deployments, commits, locks and switched-off auto-deploy (runbook, "Deployment Verification", "Rollback
Procedures")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from bot.alerts.rules.rule import fine, rule_result
from bot.alerts.snapshot import Snapshot
from bot.alerts.suppression import RuleResult
from bot.config.alerts import Rules
from playbooks.checks import deployments, sha
from playbooks.model import Finding, NextStep, Status
from services.domain.deployments import DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.systems import System


def evaluate(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """Results of `deployments.*`, `sha.*`, `locks.*` and `freezes.*`."""
    if snapshot.services is not None and not isinstance(snapshot.services, Unavailable):
        yield from _deployments(snapshot.services, snapshot.system, rules)
        yield from _shas(snapshot, rules)
    if snapshot.work is not None:
        yield from _locks(snapshot, rules)
    if snapshot.auto_deploy is not None:
        yield from _freezes(snapshot, rules)


def _deployments(services: Mapping[Service, ServiceState], system: System, rules: Rules) -> Iterator[RuleResult]:
    """Results per service. A worker that was stopped on purpose shows in `health`, and is not announced."""
    settings = rules.deployments
    for finding in deployments.check(services, system):
        if finding.service is None:
            continue  # not operated by the bot
        state = services.get(finding.service) if finding.service else None
        if state is not None and state.is_stopped and state.service.worker_type is not None:
            finding = replace(finding, status=Status.OK)
        has_failed = state is not None and state.latest is not None and state.latest.status is DeploymentStatus.FAILED
        wait = settings.failed_wait if has_failed else settings.wait
        yield rule_result("deployments", settings, finding, subject=finding.check.split(".")[-1], wait=wait)


def _shas(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    assert snapshot.services is not None  # noqa: S101 - the caller checked
    api = Unavailable("API", "not asked") if snapshot.api is None else snapshot.api
    facts = sha.Facts(
        snapshot.now,
        snapshot.stale_after,
        snapshot.services,
        api,
        snapshot.heartbeats,
        snapshot.all_visible,
        system=snapshot.system,
    )
    for finding in sha.check(facts):
        yield rule_result("sha", rules["sha"], finding, subject=finding.check.split(".")[-1])


def _locks(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """One result per service, also without a lock, so that the alert ends with the lock."""
    assert snapshot.work is not None  # noqa: S101 - the caller checked
    if isinstance(snapshot.work.locks, Unavailable):
        return
    forgotten_after = timedelta(seconds=rules["locks"].limit("after_s"))
    lock_findings = deployments.check_locks(
        snapshot.work.locks, snapshot.now, forgotten_after=forgotten_after, stored=True
    )
    found = {one.service: one for one in lock_findings}
    for service in snapshot.system.services:
        finding = found.get(service) or fine(f"{service.short} is not locked", service)
        yield rule_result("locks", rules["locks"], finding, subject=service.short)


def _freezes(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """Services whose auto-deploy is off without a lock that explains it. If it is off for all of them, that is
    intended."""
    assert snapshot.auto_deploy is not None  # noqa: S101 - the caller checked
    known = {service: on for service, on in snapshot.auto_deploy.items() if not isinstance(on, Unavailable)}
    locked = _locked(snapshot)
    for service, is_on in known.items():
        is_frozen = not is_on and any(known.values()) and service not in locked
        finding = _frozen(service) if is_frozen else fine(f"{service.short} is not frozen", service)
        finding = replace(finding, evidence={"auto_deploy": is_on})
        yield rule_result("freezes", rules["freezes"], finding, subject=service.short)


def _locked(snapshot: Snapshot) -> set[Service]:
    """Services with a lock; all of them while locks are unknown, so that no alert is raised without a reason."""
    if snapshot.work is None or isinstance(snapshot.work.locks, Unavailable):
        return set(snapshot.system.services)
    return {lock.service for lock in snapshot.work.locks}


def _frozen(service: Service) -> Finding:
    title = f"auto-deploy of {service.short} is off, and no lock explains it"
    detail = "a push to main does not deploy it; unlock turns it on again"
    return Finding("", Status.WARN, title, detail, service, next_step=NextStep("How to", "help unlock"))
