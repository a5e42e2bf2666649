"""Wires everything that needs the database: approvals, runs, incidents, alerts and delivery.

A periodic task of the leader goes into `Wiring.__init__`; if it pages people, it has a `late_after_s`, which the dead
man's switch monitors. What every replica does goes into `Wiring.start` and `Wiring.stop`, and what a notice of Postgres
wakes into the listener's table.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from bot.alerts.evaluator import Evaluator
from bot.alerts.history import HistoryRecorder
from bot.alerts.messages import AlertMessages, AlertMessageWriter
from bot.alerts.planned_silences import PlannedSilences
from bot.approvals.access import approver_ids
from bot.approvals.approver_pages import ApproverPaging
from bot.approvals.reminders import Expiry, Reminders, ScheduledRuns
from bot.approvals.rules import target_of
from bot.approvals.self_approval import SelfApprovals
from bot.approvals.service import ApprovalService
from bot.audit_floods import AuditFloods
from bot.commands.request_change import PLANS
from bot.config.alerts import AlertRules
from bot.config.alerts_file import rule_faults, usable_rules
from bot.config.environment import Settings, require
from bot.config.fields import Invalid
from bot.config.policy import Policy
from bot.config.policy_file import load_policy
from bot.delivery.outbox import Sender
from bot.delivery.pages import Pagers, PagerTransport, pager_deliveries
from bot.delivery.undeliverable import (
    Undeliverable,
    approvers_of,
    called_by_id,
    page_recipients,
    phones_behind,
    responders,
    schedule_of,
)
from bot.drills.runner import DrillRunner
from bot.freezes.notices import FreezeNotices
from bot.incidents.answers import Accounts, PhoneAnswers
from bot.incidents.calendar_news import CalendarNews
from bot.incidents.calendar_sources import CalendarSources, CalendarWatch
from bot.incidents.calendars import Calendars
from bot.incidents.escalation import Escalation
from bot.incidents.from_alerts import AlertRouting, incident_thread_of, owners_of
from bot.incidents.handover_notes import HandoverNotes
from bot.incidents.implied_acknowledgement import ImpliedAcknowledgement
from bot.incidents.oncall_file_watch import OnCallFileNews, OnCallFileWatch
from bot.incidents.oncall_groups import OnCallGroups
from bot.incidents.pictures import IncidentPictures
from bot.incidents.service import IncidentService
from bot.incidents.shift_reminders import ShiftReminders
from bot.incidents.store import IncidentStore, Place, WriteAlert, writes_nothing
from bot.incidents.todo_issues import TodoIssues
from bot.incidents.triage import TriageSummary
from bot.leader import Leader
from bot.loops import keep_running
from bot.outage.database import Outage
from bot.outage.pages import OutagePagers, OutagePaging, on_call_levels
from bot.periodic_tasks import HeartbeatMonitor, PeriodicTask, Scheduler
from bot.railway.external_deploys import ExternalDeployWatcher
from bot.railway.notices import RailwayNotices
from bot.railway.webhook import RefreshNotices
from bot.reports import CommitTimes, WeeklyReport
from bot.retention import Retention
from bot.runs.emergency_stop import EmergencyNotices
from bot.runs.engine import Dependencies
from bot.runs.message import RunMessageWriter
from bot.runs.runner import Runner
from bot.slack.incidents_channel import IncidentsChannel
from bot.slack.interrupted import InterruptedRequests
from bot.slack_directory import Groups, Profiles, SlackNames, readable_name
from bot.views.alerts import runbook_url
from bot.views.run import Content, run_message
from bot.wake_ups import WakeUps
from bot.watchdog import DeadMansSwitch
from bot.watched_files.rules import AlertRulesNews, AlertRulesWatch, PolicyNews, PolicyWatch
from bot.web.metrics import Metrics
from bot.world import World
from services.clients.github import GitHubClient
from services.clients.pagers.pagerduty import PagerDutyApi
from services.clients.pagers.webhook import Webhooks
from services.clients.postgres import messages as outbox
from services.clients.postgres.incidents import CHANNEL as INCIDENTS_CHANNEL
from services.clients.postgres.listen import CHANNEL as REFRESH_CHANNEL
from services.clients.postgres.listen import Listener
from services.clients.postgres.messages import OUTBOX_CHANNEL
from services.clients.postgres.notifications import CHANNEL as NOTIFICATIONS_CHANNEL
from services.clients.postgres.pool import Database
from services.clients.postgres.runs import CHANNEL as RUNS_CHANNEL
from services.clients.postgres.writes import WriteProbe
from services.clients.railway.parsing import project_link
from services.clients.slack import SlackClient
from services.domain.channels import OUTSIDE_SLACK
from services.domain.errors import SourceError
from services.domain.oncall import Schedule, is_group, nobody_is_absent, zone_of
from services.domain.runs import Record, Run
from services.domain.services import STATUS_PAGE, database_log_link, project_ref


class ChangeWiring:
    """One for the process. `workspace` gives our team id. `leader_tasks` is the leader's part of it."""

    def __init__(
        self,
        settings: Settings,
        world: World,
        database: Database,
        slack: SlackClient,
        *,
        channel: str,
        owner: str,
        workspace: Callable[[], str | None],
        wake_ups: WakeUps,
        profiles: Profiles | None = None,
    ) -> None:
        policy = load_policy(settings.people)
        named = policy.groups if isinstance(policy, Policy) else ()
        asked = {*named, *filter(is_group, responders(world))}
        users = (one for one in responders(world) if not is_group(one))
        self.groups = Groups(slack, asked, workspace=workspace, profiles=profiles, users=users)
        self.names = SlackNames(slack, called_by_id(world))
        in_file = world.name_of
        world.absent, world.unreachable = self.groups.absent, self.groups.unreachable
        world.name_of = lambda slack_id: self.names.known(slack_id) or readable_name(slack_id, in_file(slack_id))
        message_writer = RunMessageWriter(self._run_message, wake_ups)
        schedule = world.schedule if isinstance(world.schedule, Schedule) else None
        approver_paging = ApproverPaging.of(settings.changing, schedule)
        self.approval_service = ApprovalService(
            database,
            policy,
            self.groups,
            message_writer,
            channel=channel,
            approver_paging=approver_paging,
            notices=EmergencyNotices(slack, channel=channel),
            audit_limit=world.audit_limit,
        )
        self.leader_tasks: list[PeriodicTask] = [
            Expiry(database, message_writer),
            ScheduledRuns(database, message_writer, approvers=self._approvers),
            Reminders(database, message_writer, approvers=self._approvers),
            SelfApprovals(database, lambda: self.approval_service.policy, self.groups, message_writer),
        ]
        dependencies = Dependencies(
            database, world, PLANS, message_writer, settings.runs, self.approval_service.why_revoked
        )
        self.runner = Runner(dependencies, owner=owner)
        self._working: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Carry runs out, and keep in mind who is in which group and what they are called; every replica does."""
        self._working = keep_running(self.runner.run, self.groups.keep, self.names.run)

    async def stop(self) -> None:
        """Take no new run, hand those under way over to other replicas, and give up what is still asked of Slack."""
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        await self.runner.hand_over()
        await self.approval_service.aclose()
        await self.groups.aclose()

    @property
    def policy_groups(self) -> Collection[str] | None:
        """The user groups that the policy in force names; None while none can be used."""
        policy = self.approval_service.policy
        return policy.groups if isinstance(policy, Policy) else None

    def _run_message(self, record: Record, head: str | None) -> Content:
        return run_message(record, approvers=self._approvers(record.run), audit_head=head)

    def _approvers(self, run: Run) -> Sequence[str]:
        """Those of our own policy."""
        policy = self.approval_service.policy
        return approver_ids(target_of(run), policy) if isinstance(policy, Policy) else ()

    def follow_policy(self, policy: Policy) -> None:
        """What is requested, approved and started from now on is judged by this one."""
        self.approval_service.policy = policy
        self.groups.watch(policy.groups)


@asynccontextmanager
async def change_wiring_of_terminal(settings: Settings, world: World) -> AsyncIterator[ChangeWiring | None]:
    """With an approval service that files for others to decide in Slack.

    None when database or Slack are not configured, or Slack is silent: nothing can be approved there.
    """
    if world.database is None or isinstance(settings.slack, Invalid):
        yield None
        return
    slack = SlackClient(settings.slack.bot_token, api_url=settings.slack.api_url, origin=settings.slack.origin)
    team_id = await _team_id(slack)
    if team_id is None:
        await slack.aclose()
        yield None
        return
    changing = ChangeWiring(
        settings,
        world,
        world.database,
        slack,
        channel=settings.slack.incidents_channel,
        owner="terminal",
        workspace=lambda: team_id,
        wake_ups=WakeUps(),
    )
    try:
        yield changing
    finally:
        await changing.stop()
        await slack.aclose()


async def _team_id(slack: SlackClient) -> str | None:
    """None while Slack does not answer."""
    try:
        return (await slack.identify()).team_id
    except SourceError:
        return None


def make_incident_store(
    world: World,
    name_of: Callable[[str], str],
    wake_ups: WakeUps | None = None,
    write_alert: WriteAlert = writes_nothing,
    rules: Callable[[], AlertRules] | None = None,
) -> IncidentStore:
    """Posts in the incidents channel. An unusable file pages no one; then the approvers are paged.

    `name_of`: what those of `called_by_id` are called. `rules`: whose runbook pages lead to.
    """
    settings = world.settings
    place = Place(
        environment=settings.environment or "environment unknown",
        channel=require(settings.slack).incidents_channel,
        schedule=schedule_of(world),
        approvers=approvers_of(world),
    )

    def runbook_of(rule: str) -> str | None:
        known = rules() if rules else None
        return runbook_url(known.rules.section(rule), known.runbook) if known else None

    return IncidentStore(place, wake_ups, write_alert, name_of, world.absent or nobody_is_absent, runbook_of)


def make_incident_service(
    world: World, database: Database, incident_store: IncidentStore, groups: Groups, names: SlackNames
) -> IncidentService:
    """`groups` has to know those of `responders`."""
    github = world.settings.github
    makes_issues = not isinstance(github, Invalid) and github.repo is not None
    return IncidentService(
        database,
        incident_store,
        groups,
        names,
        responders(world),
        makes_issues=makes_issues,
        audit_limit=world.audit_limit,
    )


FIRST_READ_S = 5.0  # at the on-call file; a server or database that hangs must not keep the rest from starting
RETRY_REFUSED_WITHIN = timedelta(hours=1)  # what was refused longer ago is no news any more


@dataclass(frozen=True)
class CoreWiring:
    """What any part may need. `owner` names this process in leases; `workspace` gives our team id, None at first.
    `profiles`: what Slack reported of users."""

    settings: Settings
    world: World
    database: Database
    slack: SlackClient
    owner: str
    workspace: Callable[[], str | None]
    workspace_url: Callable[[], str | None]
    profiles: Profiles
    metrics: Metrics

    @property
    def channel(self) -> str:
        """Where messages are posted."""
        return require(self.settings.slack).incidents_channel

    def slack_without_patience(self) -> SlackClient:
        """For the outbox, where one message's 429 must not hold up another."""
        given = require(self.settings.slack)
        return SlackClient(
            given.bot_token,
            api_url=given.api_url,
            patience=0,
            pace=self.slack.pace,
            closed=self.slack.closed,
            charts=self.slack.charts,
            origin=given.origin,
        )


class Wiring:
    """All of one process. `start` begins their work, `stop` ends it in the order that loses nothing."""

    def __init__(self, core_wiring: CoreWiring) -> None:
        self._outbox_slack = core_wiring.slack_without_patience()
        self._webhooks = Webhooks()
        self.wake_ups = WakeUps(has_notices=lambda: self._listener.works)
        heartbeat_monitor, pagers = HeartbeatMonitor(), Pagers(core_wiring.settings, self._webhooks)
        self.channel = IncidentsChannel(
            core_wiring.slack,
            core_wiring.channel,
            refused=self.wake_ups.channel,
            on_back=lambda: _retry_undeliverable(core_wiring),
        )
        sender = Sender(
            core_wiring.database,
            self._outbox_slack,
            wake_ups=self.wake_ups,
            metrics=core_wiring.metrics,
            undeliverable=Undeliverable(
                self._outbox_slack,
                environment=core_wiring.settings.environment,
                recipients=lambda: page_recipients(core_wiring.world, core_wiring.slack),
                pagers=pagers.everybody,
                refused=self.wake_ups.channel,
            ),
            workspace_url=core_wiring.workspace_url,
        )
        self.switch = _switch(core_wiring, self._webhooks, heartbeat_monitor)
        self._refresh_notices = RefreshNotices(core_wiring.database, self.wake_ups)
        self.railway_notices = RailwayNotices(
            core_wiring.database,
            self.wake_ups,
            channel=core_wiring.channel,
            find_service=lambda name: core_wiring.world.system.find_service(name),
        )
        self.changing = _change_wiring(core_wiring, self.wake_ups)
        rules = usable_rules(core_wiring.settings.alerts)
        messages = AlertMessages(
            rules,
            channel=core_wiring.channel,
            railway_every_s=core_wiring.settings.evaluator.railway_every_s,
            home=incident_thread_of,
            owners=owners_of,
        )
        incident_store = make_incident_store(
            core_wiring.world, self.changing.names.of, self.wake_ups, messages.write, lambda: watch.rules
        )
        retell = partial(incident_store.retell, core_wiring.database)
        implied = ImpliedAcknowledgement(core_wiring.database, incident_store, responders(core_wiring.world))
        self.changing.approval_service.on_request = implied.on_request
        notifiers = _notifiers(core_wiring, pagers, self.wake_ups, retell)
        self.incident_service = make_incident_service(
            core_wiring.world, core_wiring.database, incident_store, self.changing.groups, self.changing.names
        )
        self._file_watch = _oncall_file_watch(
            core_wiring, self.changing, incident_store, self.incident_service, implied
        )
        self.calendars = Calendars(
            core_wiring.database, lambda: schedule_of(core_wiring.world), self.changing.groups.absent
        )
        self.answers = PhoneAnswers(core_wiring.database, incident_store, _accounts(core_wiring))
        escalation = Escalation(core_wiring.database, incident_store)
        triage_summary = TriageSummary(core_wiring.database, core_wiring.world, incident_store)
        drill_runner = DrillRunner(core_wiring.database, incident_store)
        external_deployments = ExternalDeployWatcher(
            core_wiring.world, core_wiring.database, channel=core_wiring.channel, wake_ups=self.wake_ups
        )
        on_alert = AlertRouting(incident_store).on_alert
        environment = core_wiring.settings.environment
        message_writer = AlertMessageWriter(
            rules, messages, environment=environment, metrics=core_wiring.metrics, on_alert=on_alert
        )
        watch = Evaluator(
            core_wiring.world,
            core_wiring.database,
            rules,
            message_writer,
            wake_ups=self.wake_ups,
            on_services=external_deployments.see,
            name_of=self.changing.names.known,
        )
        self._rule_files = _rule_file_watches(core_wiring, self.changing, watch)
        history = HistoryRecorder(core_wiring.database, lambda: watch.latest)
        tasks: list[PeriodicTask] = [watch, external_deployments, *sender.tasks, *notifiers, escalation, triage_summary]
        tasks += [history, ShiftReminders(core_wiring.database, incident_store)]
        tasks += [HandoverNotes(core_wiring.database, incident_store)]
        tasks += [PlannedSilences(core_wiring.database, self.wake_ups, channel=core_wiring.channel)]
        tasks += _weekly_report(core_wiring, self.wake_ups)
        self._github = _github(core_wiring.settings)
        if self._github is not None:
            workspace_url = core_wiring.workspace_url
            tasks += [
                TodoIssues(core_wiring.database, incident_store, self._github, workspace_url=workspace_url),
                CommitTimes(core_wiring.database, self._github),
            ]
        tasks.append(InterruptedRequests(core_wiring.database, self.wake_ups))
        tasks.append(FreezeNotices(core_wiring.database, channel=core_wiring.channel, wake_ups=self.wake_ups))
        tasks += _rule_file_news(core_wiring, self._rule_files, self.changing, self.wake_ups)
        tasks.append(_oncall_groups(core_wiring, incident_store, self.changing))
        for file in self._file_watch:
            tasks.append(OnCallFileNews(core_wiring.database, incident_store, file))
            tasks.append(CalendarNews(core_wiring.database, incident_store, file.calendars))
        tasks += [drill_runner, *self.changing.leader_tasks, *([self.switch] if self.switch else [])]
        tasks.append(IncidentPictures(core_wiring.database, core_wiring.world, incident_store))
        self.leader = _leader(core_wiring, sender, tasks, heartbeat_monitor)
        self.outage = _outage(core_wiring, self.leader, pagers, self.wake_ups)
        self.incident_service.acknowledge_outage = self.outage.acknowledge_if_away
        wake = {  # one session listens for the whole process
            OUTBOX_CHANNEL: self.wake_ups.outbox.set,
            RUNS_CHANNEL: self.wake_ups.runs.set,
            NOTIFICATIONS_CHANNEL: self.wake_ups.notifications.set,
            REFRESH_CHANNEL: self.wake_ups.refresh.set,
            INCIDENTS_CHANNEL: self.wake_ups.incidents.set,
        }
        dsn = require(core_wiring.settings.database).url
        self._listener = Listener(dsn, wake, application_name="dragonfly-bot")
        self._audit_floods = AuditFloods(core_wiring.database, core_wiring.world.audit_limit)
        self._working: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """The on-call file first: until its calendars are read, no one is on call by them."""
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
        """Runs handed over, held-back audit rows written, outbox flushed, lease released."""
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


async def _retry_undeliverable(core_wiring: CoreWiring) -> None:
    """The incidents channel takes messages again: so do those that it refused of late."""
    async with core_wiring.database.transaction() as conn:
        await outbox.retry_undeliverable(conn, channel=core_wiring.channel, window=RETRY_REFUSED_WITHIN)


def _change_wiring(core_wiring: CoreWiring, wake_ups: WakeUps) -> ChangeWiring:
    return ChangeWiring(
        core_wiring.settings,
        core_wiring.world,
        core_wiring.database,
        core_wiring.slack,
        channel=core_wiring.channel,
        owner=core_wiring.owner,
        workspace=core_wiring.workspace,
        wake_ups=wake_ups,
        profiles=core_wiring.profiles,
    )


def _leader(
    core_wiring: CoreWiring, sender: Sender, tasks: Sequence[PeriodicTask], monitor: HeartbeatMonitor
) -> Leader:
    """What only one replica does at a time."""
    retention = Retention(core_wiring.database, run_steps=core_wiring.settings.keep_run_steps)
    scheduler = Scheduler([*tasks, retention], metrics=core_wiring.metrics, monitor=monitor)
    leases = core_wiring.settings.leases
    return Leader(
        core_wiring.database,
        owner=core_wiring.owner,
        settings=leases,
        writes=WriteProbe(core_wiring.database, timeout_s=leases.renew_every.total_seconds()),
        work=scheduler.run,
        finish=sender.flush,
    )


def _switch(core_wiring: CoreWiring, webhooks: Webhooks, heartbeat_monitor: HeartbeatMonitor) -> DeadMansSwitch | None:
    """None when no monitor is configured."""
    monitor = core_wiring.settings.monitor
    if isinstance(monitor, Invalid) or monitor.url is None:
        return None
    return DeadMansSwitch(core_wiring.database, webhooks, monitor.url, heartbeat_monitor=heartbeat_monitor)


def _outage(core_wiring: CoreWiring, leader: Leader, pagers: Pagers, wake_ups: WakeUps) -> Outage:
    settings = core_wiring.settings.outage
    outage_pagers = OutagePagers(pagers, environment=core_wiring.settings.environment)
    paging = OutagePaging(
        core_wiring.slack,
        outage_pagers,
        levels=lambda: on_call_levels(core_wiring.world, pagers),
        grace=timedelta(seconds=settings.others_after_s + settings.spread_s),
        check_every=timedelta(seconds=settings.find_every_s),
    )
    return Outage(
        leader,
        core_wiring.world,
        core_wiring.database,
        core_wiring.slack,
        outage_pagers,
        paging,
        channel=core_wiring.channel,
        settings=settings,
        wake_ups=wake_ups,
        links=_outage_links(core_wiring.settings),
    )


def _outage_links(settings: Settings) -> dict[str, str]:
    """Where people look while the database is away."""
    identity, railway = settings.identity, settings.railway
    ref = None if isinstance(identity, Invalid) else project_ref(identity.supabase_url)
    links = {"Supabase status": STATUS_PAGE} | (database_log_link(ref) if ref else {})
    if not isinstance(railway, Invalid):
        links["Railway"] = project_link(railway.project_id, railway.environment_id)
    return links


def _github(settings: Settings) -> GitHubClient | None:
    """None where no repository is given."""
    given = settings.github
    if isinstance(given, Invalid) or given.token is None or given.repo is None:
        return None
    return GitHubClient(given.repo, given.token, api_url=given.api_url)


def _weekly_report(core_wiring: CoreWiring, wake_ups: WakeUps) -> list[PeriodicTask]:
    """None where no time is set, or the environment is unknown."""
    settings, environment = core_wiring.settings.reports, core_wiring.settings.environment
    if isinstance(settings, Invalid) or settings.weekly is None or environment is None:
        return []
    return [
        WeeklyReport(
            core_wiring.database,
            wake_ups,
            channel=core_wiring.channel,
            environment=environment,
            zone=zone_of(schedule_of(core_wiring.world)),
            at=settings.weekly,
        )
    ]


def _oncall_file_watch(
    core_wiring: CoreWiring,
    changing: ChangeWiring,
    incident_store: IncidentStore,
    incident_service: IncidentService,
    implied: ImpliedAcknowledgement,
) -> list[OnCallFileWatch]:
    """None without an on-call file."""
    settings, world = core_wiring.settings.oncall, core_wiring.world
    if isinstance(settings, Invalid) or settings.path is None:
        return []

    def apply(schedule: Schedule) -> None:
        """Everything that was made from the former file follows this one."""
        world.schedule = schedule
        incident_store.place = replace(incident_store.place, schedule=schedule)
        incident_service.follow(responders(world))
        implied.responders = responders(world)
        changing.groups.watch(responders(world))
        service = changing.approval_service
        service.approver_paging = replace(service.approver_paging, schedule=schedule)

    calendars = CalendarWatch(CalendarSources(core_wiring.settings, core_wiring.database), world, apply)
    return [OnCallFileWatch(settings.path, world, core_wiring.database, calendars)]


def _oncall_groups(core_wiring: CoreWiring, incident_store: IncidentStore, changing: ChangeWiring) -> OnCallGroups:
    people = core_wiring.settings.people
    listed = None if isinstance(people, Invalid) else (*people.operators, *people.approvers)

    def with_rights() -> Collection[str] | None:
        named = changing.policy_groups
        return None if named is None or listed is None else {*named, *listed}

    return OnCallGroups(core_wiring.database, core_wiring.slack, incident_store, with_rights)


def _rule_file_watches(
    core_wiring: CoreWiring, changing: ChangeWiring, evaluator: Evaluator
) -> list[PolicyWatch | AlertRulesWatch]:
    """The policy's, while the lists of people are usable; the alert rules', where a file is named."""
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


def _rule_file_news(
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


def _accounts(core_wiring: CoreWiring) -> Accounts:
    """By which answers from outside Slack are matched to people."""
    hooks, mail = core_wiring.settings.hooks, core_wiring.settings.mail
    targets = {} if isinstance(mail, Invalid) else mail.targets
    token = None if isinstance(hooks, Invalid) else hooks.pagerduty_token
    return Accounts(
        emails={address.lower(): name for name, address in targets.items()},
        team=core_wiring.workspace,
        workspace_url=core_wiring.workspace_url,
        pagerduty=None if isinstance(hooks, Invalid) or token is None else PagerDutyApi(hooks.pagerduty_api, token),
    )


def _notifiers(
    core_wiring: CoreWiring, pagers: Pagers, wake_ups: WakeUps, retell: Callable[[str], Awaitable[None]]
) -> list[PeriodicTask]:
    hooks = core_wiring.settings.hooks
    transports = (
        PagerTransport(
            means,
            core_wiring.database,
            pagers,
            environment=core_wiring.settings.environment,
            workspace_url=core_wiring.workspace_url,
            channel=core_wiring.channel,
            metrics=core_wiring.metrics,
            public_url=None if isinstance(hooks, Invalid) else hooks.public_url,
            retell=retell,
            phones_of=partial(phones_behind, core_wiring.world),
        )
        for means in OUTSIDE_SLACK
    )
    return pager_deliveries(transports, wake_ups)
