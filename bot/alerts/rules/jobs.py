"""Backlog, failed, exhausted and orphaned jobs (runbook, "Log Queries", "Job Claiming")."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from bot.alerts.rules.rule import only_failures, signal
from bot.alerts.snapshot import Snapshot
from bot.alerts.suppression import RuleResult
from bot.config.alerts import Rules
from playbooks.checks import outcomes, queue
from playbooks.model import Status
from services.domain.alerts import Severity


def look(seen: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """`backlog`, `failed_jobs`, `orphaned`, `exhausted` and `failure_rate`."""
    if seen.work is not None:
        yield from _queue(seen, rules)
        exhausted = outcomes.check_exhausted(seen.work.exhausted, at_least=rules.exhausted.at_least)
        yield signal("exhausted", rules.exhausted, exhausted)
    if seen.upkeep is not None:
        limits = rules.failure_rate
        rate = outcomes.check_rate(
            seen.upkeep.outcomes, at_least=limits.at_least, share=limits.share, times=limits.times
        )
        yield signal("failure_rate", limits, rate)


def _queue(seen: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    assert seen.work is not None  # noqa: S101 - the caller asked
    facts = queue.Facts(
        seen.work.queue,
        seen.all_visible,
        timedelta(seconds=rules.backlog.warn_after_s),
        timedelta(seconds=rules.backlog.page_after_s),
        rules.failed_jobs.at_least,
        stored=True,
    )
    backlog, *others = queue.check(facts)
    severity = rules.backlog.severity if backlog.status is Status.FAIL else Severity.NOTIFY
    yield signal("backlog", rules.backlog, backlog, severity=severity)
    for finding in others:
        name = {"queue.failed": "failed_jobs", "queue.orphaned": "orphaned"}[finding.check]
        settings = rules.failed_jobs if name == "failed_jobs" else rules.orphaned
        yield signal(name, settings, only_failures(finding))
