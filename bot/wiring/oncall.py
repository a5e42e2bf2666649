"""Wires on-call: the on-call file with its calendars, and what the leader sends to people on call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial

from bot.config.fields import Invalid
from bot.incidents.implied_acknowledgement import ImpliedAcknowledgement
from bot.incidents.service import IncidentService
from bot.incidents.store import IncidentStore
from bot.oncall.calendar_news import CalendarNews
from bot.oncall.calendar_sources import CalendarSources, CalendarWatch
from bot.oncall.file_watch import OnCallFileNews, OnCallFileWatch
from bot.oncall.handover_notes import HandoverNotes
from bot.oncall.shift_reminders import ShiftReminders
from bot.oncall.user_groups import OnCallGroups
from bot.periodic_tasks import PeriodicTask
from bot.wake_ups import WakeUps
from bot.wiring.changes import ChangeWiring
from bot.wiring.core import CoreWiring
from bot.wiring.people import responders, schedule_of
from services.domain.oncall import Schedule


def watch_oncall_file(
    core_wiring: CoreWiring,
    changing: ChangeWiring,
    incident_store: IncidentStore,
    incident_service: IncidentService,
    implied: ImpliedAcknowledgement,
) -> list[OnCallFileWatch]:
    """Return the watch of the on-call file; empty without such a file."""
    settings, world = core_wiring.settings.oncall, core_wiring.world
    if isinstance(settings, Invalid) or settings.path is None:
        return []

    def apply(schedule: Schedule) -> None:
        """Replace the schedule in everything that was made from the former one."""
        world.schedule = schedule
        incident_store.place = replace(incident_store.place, schedule=schedule)
        incident_service.follow(responders(world))
        implied.responders = responders(world)
        changing.groups.watch(responders(world))
        service = changing.approval_service
        service.approver_paging = replace(service.approver_paging, schedule=schedule)

    calendars = CalendarWatch(CalendarSources(core_wiring.settings, core_wiring.database), world, apply)
    return [OnCallFileWatch(settings.path, world, core_wiring.database, calendars)]


def make_oncall_tasks(
    core_wiring: CoreWiring,
    changing: ChangeWiring,
    watches: Sequence[OnCallFileWatch],
    wake_ups: WakeUps,
    *,
    environment: str,
) -> list[PeriodicTask]:
    """Return the leader's tasks; what changed in the on-call file is announced only where there is one."""
    database, channel = core_wiring.database, core_wiring.channel
    schedule = partial(schedule_of, core_wiring.world)
    return [
        ShiftReminders(database, schedule, wake_ups),
        HandoverNotes(database, schedule, wake_ups, channel=channel, environment=environment),
        OnCallGroups(
            database,
            core_wiring.slack,
            schedule,
            partial(_with_rights, core_wiring, changing),
            wake_ups,
            channel=channel,
        ),
        *(OnCallFileNews(watch, database, wake_ups, channel=channel) for watch in watches),
        *(CalendarNews(watch.calendars, database, wake_ups, channel=channel) for watch in watches),
    ]


def _with_rights(core_wiring: CoreWiring, changing: ChangeWiring) -> Collection[str] | None:
    """The ids that give rights, of people too; None while that is not known."""
    people, named = core_wiring.settings.people, changing.policy_groups
    return None if named is None or isinstance(people, Invalid) else {*named, *people.operators, *people.approvers}
