"""Wires the watches of the on-call file, the policy and the alert rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.alerts.evaluator import Evaluator
from bot.config.alerts_file import rule_faults
from bot.config.fields import Invalid
from bot.config.policy import Policy
from bot.delivery.undeliverable import responders
from bot.incidents.calendar_sources import CalendarSources, CalendarWatch
from bot.incidents.implied_acknowledgement import ImpliedAcknowledgement
from bot.incidents.oncall_file_watch import OnCallFileWatch
from bot.incidents.service import IncidentService
from bot.incidents.store import IncidentStore
from bot.periodic_tasks import PeriodicTask
from bot.wake_ups import WakeUps
from bot.watched_files.rules import AlertRulesNews, AlertRulesWatch, PolicyNews, PolicyWatch
from bot.wiring.changes import ChangeWiring
from bot.wiring.core import CoreWiring
from services.domain.oncall import Schedule


def watch_oncall_file(
    core_wiring: CoreWiring,
    changing: ChangeWiring,
    incident_store: IncidentStore,
    incident_service: IncidentService,
    implied: ImpliedAcknowledgement,
) -> list[OnCallFileWatch]:
    """Make the watch of the on-call file; empty without such a file."""
    settings, world = core_wiring.settings.oncall, core_wiring.world
    if isinstance(settings, Invalid) or settings.path is None:
        return []

    def apply(schedule: Schedule) -> None:
        """Put the new schedule into every part that was made from the old one."""
        world.schedule = schedule
        incident_store.place = replace(incident_store.place, schedule=schedule)
        incident_service.follow(responders(world))
        implied.responders = responders(world)
        changing.groups.watch(responders(world))
        service = changing.approval_service
        service.approver_paging = replace(service.approver_paging, schedule=schedule)

    calendars = CalendarWatch(CalendarSources(core_wiring.settings, core_wiring.database), world, apply)
    return [OnCallFileWatch(settings.path, world, core_wiring.database, calendars)]


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
