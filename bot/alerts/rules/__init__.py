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
    """The result of every rule now. Each subject has one also when it is well, so that its alert can end."""
    return [result for family in FAMILIES for result in family(snapshot, rules)]


def fingerprints(snapshot: Snapshot, rules: Rules) -> Iterator[str]:
    """The names that `why` and `silence` know."""
    yield from (result.fingerprint for result in evaluate(snapshot, rules))
