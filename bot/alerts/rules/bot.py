"""Sources that the bot can't read, so that it could not announce their problems; and a chain that reaches no one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bot.alerts.rules.rule import fine, rule_result
from bot.alerts.snapshot import Snapshot
from bot.alerts.suppression import RuleResult
from bot.config.alerts import Rules
from playbooks.checks import bot, oncall
from playbooks.checks.database import CONFIG
from playbooks.model import Finding, Status, wrong_first
from services.domain.errors import Unavailable


def evaluate(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """Results of `blindness.railway`, `blindness.slack` and `oncall` (no one would respond to its pages)."""
    if snapshot.services is not None:
        yield rule_result("blindness", rules["blindness"], _railway(snapshot), subject="railway")
    for finding in bot.check(bot.Facts(snapshot.bot, snapshot.now)):
        yield rule_result("blindness", rules["blindness"], finding, subject="slack")
    if snapshot.oncall is not None:
        found = oncall.check(replace(snapshot.oncall, now=snapshot.now))
        yield from (rule_result("oncall", rules["oncall"], finding) for finding in wrong_first(found)[:1])


def _railway(snapshot: Snapshot) -> Finding:
    if not isinstance(snapshot.services, Unavailable):
        return fine("Railway answers")
    title = "Railway does not answer: deployments and replicas are not monitored"
    return Finding("", Status.FAIL, title, snapshot.services.why, next_step=CONFIG)
