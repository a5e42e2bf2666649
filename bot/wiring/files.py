"""Wires the watches of the policy and the alert rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.alerts.evaluator import Evaluator
from bot.config.alerts_file import rule_faults
from bot.config.fields import Invalid
from bot.config.policy import Policy
from bot.periodic_tasks import PeriodicTask
from bot.wake_ups import WakeUps
from bot.watched_files.rules import AlertRulesNews, AlertRulesWatch, PolicyNews, PolicyWatch
from bot.wiring.changes import ChangeWiring
from bot.wiring.core import CoreWiring


def watch_rule_files(
    core_wiring: CoreWiring, changing: ChangeWiring, evaluator: Evaluator
) -> list[PolicyWatch | AlertRulesWatch]:
    """Make the watches of the policy, if the lists of people are valid, and of the alert rules, if a file is set."""
    settings, database = core_wiring.settings, core_wiring.database
    found: list[PolicyWatch | AlertRulesWatch] = []
    if not isinstance(settings.people, Invalid):
        is_in_force = isinstance(changing.approval_service.policy, Policy)
        found.append(PolicyWatch(settings.people, database, changing.follow_policy, is_in_force=is_in_force))
    if not isinstance(settings.alerts, Invalid) and settings.alerts.rules_path is not None:
        is_in_force = not rule_faults(settings.alerts)
        path = settings.alerts.rules_path
        found.append(AlertRulesWatch(path, database, evaluator.follow, is_in_force=is_in_force))
    return found


def make_rule_file_news(
    core_wiring: CoreWiring,
    watches: Sequence[PolicyWatch | AlertRulesWatch],
    changing: ChangeWiring,
    wake_ups: WakeUps,
) -> Iterator[PeriodicTask]:
    database, channel = core_wiring.database, core_wiring.channel
    environment = core_wiring.settings.environment or ""
    for watch in watches:
        match watch:
            case PolicyWatch():
                yield PolicyNews(
                    watch, database, wake_ups, channel=channel, environment=environment, names=changing.names
                )
            case AlertRulesWatch():
                yield AlertRulesNews(watch, database, wake_ups, channel=channel)
