"""What the bot can't read or hear: problems there would not be announced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bot.alerts.rules.rule import fine, signal
from bot.alerts.snapshot import Snapshot
from bot.alerts.suppression import RuleResult
from bot.config.alerts import Rules
from playbooks.checks import bot, oncall
from playbooks.checks.database import CONFIG
from playbooks.model import Finding, Status, wrong_first
from services.domain.errors import Unavailable


def look(seen: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """`blindness.railway` and `blindness.slack`, and `oncall`: no one would respond to its pages."""
    if seen.services is not None:
        yield signal("blindness", rules.blindness, _railway(seen), subject="railway")
    for finding in bot.check(bot.Facts(seen.bot, seen.now)):
        yield signal("blindness", rules.blindness, finding, subject="slack")
    if seen.oncall is not None:
        found = oncall.check(replace(seen.oncall, now=seen.now))
        yield from (signal("oncall", rules.oncall, finding) for finding in wrong_first(found)[:1])


def _railway(seen: Snapshot) -> Finding:
    if not isinstance(seen.services, Unavailable):
        return fine("Railway answers")
    title = "Railway does not answer: deployments and replicas are not monitored"
    return Finding("", Status.FAIL, title, seen.services.why, next_step=CONFIG)
