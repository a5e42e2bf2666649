"""Backlog, failed, exhausted and orphaned jobs (runbook, "Log Queries", "Job Claiming")."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from bot.alerts.rules.rule import only_failures, rule_result
from bot.alerts.snapshot import Snapshot
from bot.alerts.suppression import RuleResult
from bot.config.alerts import Rules
from playbooks.checks import outcomes, queue
from playbooks.model import Status
from services.domain.alerts import Severity


def evaluate(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """Results of `backlog`, `failed_jobs`, `orphaned`, `exhausted`, `unclaimed` and `failure_rate`."""
    if snapshot.work is not None:
        yield from _queue(snapshot, rules)
        exhausted = outcomes.check_exhausted(snapshot.work.exhausted, at_least=rules.exhausted.at_least)
        yield rule_result("exhausted", rules.exhausted, exhausted)
        unclaimed = queue.check_unclaimed(snapshot.work.unclaimed, snapshot.now, stored=True)
        yield rule_result("unclaimed", rules["unclaimed"], unclaimed)
    if snapshot.slow_reads is not None:
        limits = rules.failure_rate
        rate = outcomes.check_rate(
            snapshot.slow_reads.outcomes, at_least=limits.at_least, share=limits.share, times=limits.times
        )
        yield rule_result("failure_rate", limits, rate)


def _queue(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    assert snapshot.work is not None  # noqa: S101 - the caller checked
    facts = queue.Facts(
        snapshot.work.queue,
        snapshot.all_visible,
        timedelta(seconds=rules.backlog.warn_after_s),
        timedelta(seconds=rules.backlog.page_after_s),
        rules.failed_jobs.at_least,
        stored=True,
    )
    backlog, *others = queue.check(facts)
    severity = rules.backlog.severity if backlog.status is Status.FAIL else Severity.NOTIFY
    yield rule_result("backlog", rules.backlog, backlog, severity=severity)
    for finding in others:
        name = {"queue.failed": "failed_jobs", "queue.orphaned": "orphaned"}[finding.check]
        settings = rules.failed_jobs if name == "failed_jobs" else rules["orphaned"]
        yield rule_result(name, settings, only_failures(finding))
