"""Resources that run out: a service's memory, the database's sessions (runbook, "Troubleshooting")."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from bot.alerts.freed import process_starts
from bot.alerts.rules.rule import rule_result
from bot.alerts.snapshot import Snapshot
from bot.alerts.suppression import RuleResult
from bot.config.alerts import Rules
from playbooks.checks import memory
from playbooks.checks.database import check_connections
from services.domain.errors import Unavailable


def evaluate(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """Results of `memory.*` and `connections`."""
    if snapshot.usage is not None:
        yield from _memory(snapshot, rules)
    if snapshot.slow_reads is not None and snapshot.slow_reads.connections is not None:
        finding = check_connections(snapshot.slow_reads.connections, share=rules.connections.share)
        yield rule_result("connections", rules.connections, finding)


def _memory(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    settings, usage = rules.memory, snapshot.usage
    for service in snapshot.system.services:
        finding = memory.check(
            usage if usage is None or isinstance(usage, Unavailable) else usage.get(service),
            service,
            now=snapshot.now,
            within=timedelta(seconds=settings.within_s),
            from_share=settings.from_share,
            freed_gb=snapshot.freed_gb.get(service, 0.0),
            starts=process_starts(snapshot, service),
        )
        yield rule_result("memory", settings, finding, subject=service.short)
