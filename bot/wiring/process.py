"""Wires all parts of one process.

Add a periodic task of the leader to the list in `Wiring.__init__`; if it pages people, give it a `late_after_s`, which
the dead man's switch monitors. Add work of every replica to `Wiring.start` and `Wiring.stop`, and wake-ups by Postgres
notices to `Wiring._listen`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial

from bot.alerts.evaluator import Evaluator
from bot.alerts.history import HistoryRecorder
from bot.alerts.messages import AlertMessages, AlertMessageWriter
from bot.alerts.planned_silences import PlannedSilences
from bot.audit_floods import AuditFloods
from bot.config.alerts_file import usable_rules
from bot.config.environment import require
from bot.delivery.outbox import Sender
from bot.delivery.pages import Pagers
from bot.drills.runner import DrillRunner
from bot.freezes.notices import FreezeNotices
from bot.incidents.answers import PhoneAnswers
from bot.incidents.escalation import Escalation
from bot.incidents.from_alerts import AlertRouting, incident_thread_of, owners_of
from bot.incidents.implied_acknowledgement import ImpliedAcknowledgement
from bot.incidents.pictures import IncidentPictures
from bot.incidents.triage import TriageSummary
from bot.leader import Leader
from bot.loops import keep_running
from bot.oncall.calendar_subscriptions import Calendars
from bot.periodic_tasks import HeartbeatMonitor, PeriodicTask, Scheduler
from bot.railway.external_deploys import ExternalDeployWatcher
from bot.railway.notices import RailwayNotices
from bot.railway.webhook import RefreshNotices
from bot.retention import Retention
from bot.slack.interrupted import InterruptedRequests
from bot.wake_ups import WakeUps
from bot.wiring.changes import make_change_wiring
from bot.wiring.core import CoreWiring
from bot.wiring.files import make_rule_file_news, watch_rule_files
from bot.wiring.incidents import (
    make_accounts,
    make_github,
    make_github_tasks,
    make_incident_service,
    make_incident_store,
    make_weekly_report,
)
from bot.wiring.oncall import make_oncall_tasks, watch_oncall_file
from bot.wiring.outside import make_incidents_channel, make_notifiers, make_outage, make_sender, make_switch
from bot.wiring.people import responders, schedule_of
from services.clients.pagers.webhook import Webhooks
from services.clients.postgres.incidents import CHANNEL as INCIDENTS_CHANNEL
from services.clients.postgres.listen import CHANNEL as REFRESH_CHANNEL
from services.clients.postgres.listen import Listener
from services.clients.postgres.messages import OUTBOX_CHANNEL
from services.clients.postgres.notifications import CHANNEL as NOTIFICATIONS_CHANNEL
from services.clients.postgres.runs import CHANNEL as RUNS_CHANNEL
from services.clients.postgres.writes import WriteProbe
from services.domain.secrets import Secret

FIRST_READ_S = 5.0  # for the first read of the on-call file: a hanging server or database must not delay the start


class Wiring:
    """All parts of one process. `start` starts their work, `stop` ends it in an order that loses nothing."""

    def __init__(self, core_wiring: CoreWiring) -> None:
        settings, world, database = core_wiring.settings, core_wiring.world, core_wiring.database
        channel = core_wiring.channel
        self.wake_ups = WakeUps(has_notices=lambda: self._listener.works)
        self._outbox_slack = core_wiring.slack_without_patience()
        self._webhooks = Webhooks()
        heartbeat_monitor, pagers = HeartbeatMonitor(), Pagers(settings, self._webhooks)
        self.channel = make_incidents_channel(core_wiring, self.wake_ups)
        sender = make_sender(core_wiring, self._outbox_slack, pagers, self.wake_ups)
        self.switch = make_switch(core_wiring, self._webhooks, heartbeat_monitor)
        self._refresh_notices = RefreshNotices(database, self.wake_ups)
        self.railway_notices = RailwayNotices(
            database, self.wake_ups, channel=channel, find_service=lambda name: world.system.find_service(name)
        )
        self.changing = make_change_wiring(core_wiring, self.wake_ups)
        rules = usable_rules(settings.alerts)
        messages = AlertMessages(
            rules,
            channel=channel,
            railway_every_s=settings.evaluator.railway_every_s,
            home=incident_thread_of,
            owners=owners_of,
        )
        incident_store = make_incident_store(
            world, self.changing.names.of, self.wake_ups, messages.write, lambda: watch.rules
        )
        implied = ImpliedAcknowledgement(database, incident_store, responders(world))
        self.changing.approval_service.on_request = implied.on_request
        self.incident_service = make_incident_service(
            world, database, incident_store, self.changing.groups, self.changing.names
        )
        self._file_watch = watch_oncall_file(core_wiring, self.changing, incident_store, self.incident_service, implied)
        self.calendars = Calendars(database, lambda: schedule_of(world), self.changing.groups.absent)
        self.answers = PhoneAnswers(database, incident_store, make_accounts(core_wiring))
        external_deployments = ExternalDeployWatcher(world, database, channel=channel, wake_ups=self.wake_ups)
        watch = Evaluator(
            world,
            database,
            rules,
            AlertMessageWriter(
                rules,
                messages,
                environment=settings.environment,
                metrics=core_wiring.metrics,
                on_alert=AlertRouting(incident_store).on_alert,
            ),
            wake_ups=self.wake_ups,
            on_services=external_deployments.see,
            name_of=self.changing.names.known,
        )
        self._rule_files = watch_rule_files(core_wiring, self.changing, watch)
        self._github = make_github(settings)
        tasks = [
            watch,
            external_deployments,
            *sender.tasks,
            *make_notifiers(core_wiring, pagers, self.wake_ups, partial(incident_store.rewrite_root, database)),
            Escalation(database, incident_store),
            TriageSummary(database, world, incident_store),
            HistoryRecorder(database, lambda: watch.latest),
            PlannedSilences(database, self.wake_ups, channel=channel),
            *make_weekly_report(core_wiring, self.wake_ups),
            *make_github_tasks(core_wiring, self._github, incident_store),
            InterruptedRequests(database, self.wake_ups),
            FreezeNotices(database, channel=channel, wake_ups=self.wake_ups),
            *make_rule_file_news(core_wiring, self._rule_files, self.changing, self.wake_ups),
            *make_oncall_tasks(
                core_wiring,
                self.changing,
                self._file_watch,
                self.wake_ups,
                environment=incident_store.place.environment,
            ),
            DrillRunner(database, incident_store),
            *self.changing.leader_tasks,
            *([self.switch] if self.switch else []),
            IncidentPictures(database, world, incident_store),
            Retention(database, run_steps=settings.keep_run_steps),
        ]
        self.leader = _leader(core_wiring, sender, tasks, heartbeat_monitor)
        self.outage = make_outage(core_wiring, self.leader, pagers, self.wake_ups)
        self.incident_service.acknowledge_outage = self.outage.acknowledge_if_away
        self._listener = self._listen(require(settings.database).url)
        self._audit_floods = AuditFloods(database, world.audit_limit)
        self._working: list[asyncio.Task[None]] = []

    def _listen(self, dsn: Secret) -> Listener:
        """Make the LISTEN listener: one session for the whole process."""
        wake = {
            OUTBOX_CHANNEL: self.wake_ups.outbox.set,
            RUNS_CHANNEL: self.wake_ups.runs.set,
            NOTIFICATIONS_CHANNEL: self.wake_ups.notifications.set,
            REFRESH_CHANNEL: self.wake_ups.refresh.set,
            INCIDENTS_CHANNEL: self.wake_ups.incidents.set,
        }
        return Listener(dsn, wake, application_name="dragonfly-bot")

    async def start(self) -> None:
        """Start the work. The on-call file is read first: until its calendars are read, no one in them is on call."""
        self._working = keep_running(*(watch.run for watch in self._file_watch))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_READ_S):
                for watch in self._file_watch:
                    await watch.was_looked_at.wait()
        self.changing.start()
        self._working += keep_running(
            *(self.leader.run, self._listener.run, self._refresh_notices.run, self.outage.run),
            *(self.channel.run, *(watch.run for watch in self._rule_files)),
            *(watch.calendars.run for watch in self._file_watch),
            self._audit_floods.run,
        )

    async def stop(self) -> None:
        """Hand over runs, write held-back audit rows, flush the outbox, release the lease, close the clients."""
        await self.changing.stop()
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        await self._audit_floods.write(at_once=True)
        await self.leader.release()
        await self._webhooks.aclose()
        await self.answers.aclose()
        if self._github is not None:
            await self._github.aclose()
        await self._outbox_slack.aclose()


def _leader(
    core_wiring: CoreWiring, sender: Sender, tasks: Sequence[PeriodicTask], monitor: HeartbeatMonitor
) -> Leader:
    """Make the leader, which runs the tasks that only one replica may run at a time."""
    scheduler = Scheduler(tasks, metrics=core_wiring.metrics, monitor=monitor)
    leases = core_wiring.settings.leases
    return Leader(
        core_wiring.database,
        owner=core_wiring.owner,
        settings=leases,
        writes=WriteProbe(core_wiring.database, timeout_s=leases.renew_every.total_seconds()),
        work=scheduler.run,
        finish=sender.flush,
    )
