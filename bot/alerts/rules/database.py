"""The database: not reached, not readable, changed, open to other roles, or locked (runbook, "Key Log Patterns")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.alerts.rules.rule import fine, only_failures, rule_result
from bot.alerts.snapshot import SlowReads, Snapshot, Work
from bot.alerts.suppression import RuleResult
from bot.config.alerts import Rules
from playbooks.checks import database, migrations, outcomes, security
from playbooks.model import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth

HEALTH = NextStep("Health", "health")


def evaluate(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """Results of `database`, `writes`, `system`, `visibility.*`, `migrations`, `grants.*` and `contention`."""
    yield rule_result("database", rules["database"], _reached(snapshot))
    if snapshot.api is not None:
        yield rule_result("writes", rules["writes"], _written(snapshot.api))
    if snapshot.work is not None:
        waits = outcomes.check_contention(
            snapshot.work.lock_waits, longer_than_s=rules["contention"].limit("longer_than_s")
        )
        yield rule_result("contention", rules["contention"], waits)
    if snapshot.slow_reads is not None:
        if not isinstance(snapshot.slow_reads.server, Unavailable):
            problem = database.check_system(snapshot.slow_reads.server.system_problem)
            yield rule_result("system", rules["system"], *problem or [fine("the database holds the system to operate")])
        [finding] = migrations.check(snapshot.slow_reads.migrations)
        yield rule_result("migrations", rules["migrations"], finding)
        for exposure in security.check(snapshot.slow_reads.exposures, snapshot.system):
            subject = exposure.check.split(".")[-1]
            yield rule_result("grants", rules["grants"], only_failures(exposure), subject=subject)
    for subject, finding in _visibility(snapshot.work, snapshot.slow_reads):
        yield rule_result("visibility", rules["visibility"], finding, subject=subject)


def _reached(snapshot: Snapshot) -> Finding:
    """The services that do not reach the database. The bot does, or this rule would not run."""
    lost = _without_database(snapshot)
    if not lost:
        return fine("every service that reports it reaches the database")
    title = f"database not reached by {', '.join(lost)}"
    return Finding("", Status.FAIL, title, "the bot reaches it", evidence={"lost": lost}, next_step=HEALTH)


def _written(api: ApiHealth | Unavailable) -> Finding:
    """The API's report on its writes. The bot can write, or this rule would not run (docs/checks.md, "Writes")."""
    if isinstance(api, Unavailable) or not api.db_connected:
        return Finding("", Status.UNKNOWN, "whether the api can write to the database is unknown", next_step=HEALTH)
    if api.db_writable is False:
        return Finding("", Status.FAIL, database.NO_WRITES, "says the api", next_step=HEALTH)
    return fine("the database accepts writes")


def _without_database(snapshot: Snapshot) -> list[str]:
    api_lost = (
        snapshot.api is not None and not isinstance(snapshot.api, Unavailable) and snapshot.api.db_connected is False
    )
    beating = [beat for beat in snapshot.heartbeats if beat.is_beating(snapshot.now, snapshot.stale_after)]
    lost = {beat.worker_type for beat in beating if beat.database_ok is False}
    return [*(["api"] if api_lost else []), *(one.short for one in snapshot.system.workers if one.worker_type in lost)]


def _visibility(work: Work | None, slow_reads: SlowReads | None) -> Iterator[tuple[str, Finding]]:
    """Queries that the database does not answer, or only in part, although the bot reaches it."""
    if slow_reads is not None and not isinstance(slow_reads.server, Unavailable):
        found = {finding.check.split(".")[-1]: finding for finding in database.check(slow_reads.server)}
        yield "schemas", found.get("schemas", fine("all schemas visible"))
        hidden = found.get("visibility")
        yield "rows", _as_warning(hidden) if hidden else fine("all rows visible")
    answers = [*_answers(work, ("queue", "lock_waits", "locks")), *_answers(slow_reads, ("server", "migrations"))]
    refused = {name: answer.why for name, answer in answers if isinstance(answer, Unavailable)}
    if not answers:
        return
    if not refused:
        yield "answers", fine("the database answers every query")
        return
    title = f"the database does not report {', '.join(refused)}"
    yield "answers", Finding("", Status.FAIL, title, next(iter(refused.values())), next_step=database.CONFIG)


def _answers(source: Work | SlowReads | None, names: Sequence[str]) -> list[tuple[str, object]]:
    return [] if source is None else [(name.replace("_", " "), getattr(source, name)) for name in names]


def _as_warning(finding: Finding) -> Finding:
    """A warning for hidden rows: they make a count *unknown*, but are a problem for alerts."""
    return Finding(
        "", Status.WARN, finding.title, finding.detail, evidence=finding.evidence, next_step=finding.next_step
    )
