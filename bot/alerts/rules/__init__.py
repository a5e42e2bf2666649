"""The alert rules, one file per family: the checks of `playbooks/checks/`, with the severity of each."""

from __future__ import annotations

from collections.abc import Iterator

from bot.alerts.rules import api, bot, database, drill, jobs, railway, saturation, workers
from bot.alerts.snapshot import Snapshot
from bot.alerts.suppression import RuleResult
from bot.config.alerts import Rules

FAMILIES = (
    workers.evaluate,
    api.evaluate,
    database.evaluate,
    jobs.evaluate,
    railway.evaluate,
    saturation.evaluate,
    bot.evaluate,
    drill.evaluate,
)


def evaluate(snapshot: Snapshot, rules: Rules) -> list[RuleResult]:
    """Return the results of every rule. Each subject has one even if it is well, so that its alert can end."""
    return [result for family in FAMILIES for result in family(snapshot, rules)]


def fingerprints(snapshot: Snapshot, rules: Rules) -> Iterator[str]:
    """The fingerprints that `why` and `silence` accept."""
    yield from (result.fingerprint for result in evaluate(snapshot, rules))
