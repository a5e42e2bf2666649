"""What needs the database, part by part: each is made in a few lines here, and named where it works.

A part of the leader's goes into `Parts.__init__`; if people are woken by it, it has a `pulse.part` to call after each
good round, which the dead man's switch minds. What every replica does goes into `Parts.start` and `Parts.stop`, and
what a notice of Postgres wakes into the doorbell's bells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from bot.alerts.messages import AlertMessages
from bot.alerts.rule_file import usable_rules
from bot.alerts.telling import AlertTeller
from bot.alerts.watch import Watch
from bot.approvals.groups import Profiles
from bot.changing import Changing
from bot.dead_mans_switch import DeadMansSwitch
from bot.drill.keeper import DrillKeeper
from bot.facts import World
from bot.hints import Hints
from bot.incidents.alerting import Alerting, home_of, owners_of
from bot.incidents.briefing import Briefing
from bot.incidents.escalation import Escalation
from bot.incidents.implied_acknowledgement import ImpliedAcknowledgement
from bot.incidents.wiring import make_board, make_room
from bot.leader import Leader
from bot.leading import Leading, Part
from bot.notifications.notifiers import Notifiers
from bot.notifications.reach import Reach
from bot.outage.paging import OutagePaging
from bot.outage.phones import Phones
from bot.outage.post import Outage
from bot.outage.whom import on_call_levels
from bot.outbox.recipients import page_recipients
from bot.outbox.sender import Sender
from bot.outbox.undeliverable import Undeliverable
from bot.pulse import Pulse
from bot.rollouts.watch import RolloutWatch
from bot.settings import Invalid, Settings, require
from bot.slack_edge.incidents_channel import IncidentsChannel
from bot.web.metrics import Metrics
from services.domain.supabase import STATUS_PAGE, database_log_link, project_ref
from services.postgres import outbox
from services.postgres.doorbell import Doorbell
from services.postgres.hints import CHANNEL as HINTS_CHANNEL
from services.postgres.incidents import CHANNEL as INCIDENTS_CHANNEL
from services.postgres.notifications import CHANNEL as NOTIFICATIONS_CHANNEL
from services.postgres.outbox import CHANNEL as OUTBOX_CHANNEL
from services.postgres.pool import Database
from services.postgres.runs import CHANNEL as RUNS_CHANNEL
from services.postgres.writes import WriteProbe
from services.railway.links import project_link
from services.slack.client import SlackClient
from services.webhooks.client import Webhooks

# Three rounds while nothing is wrong: IDLE_LOOK of the watch, POLL_S of the sender.
EVALUATION_LATE_AFTER_S = OUTBOX_LATE_AFTER_S = ESCALATION_LATE_AFTER_S = 90.0
RETRY_REFUSED_WITHIN = timedelta(hours=1)  # what was refused longer ago is no news any more
POLL_S, POLL_WITHOUT_NOTICES_S = 30.0, 5.0


@dataclass(frozen=True)
class Basis:
    """What any part may need. `owner` names this process in leases; `workspace` gives our team id, None at first.
    `profiles`: what Slack told of users."""

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
        """Where people are told."""
        return require(self.settings.slack).incidents_channel

    def slack_without_patience(self) -> SlackClient:
        """For the outbox, where one message's 429 must not hold up another."""
        given = require(self.settings.slack)
        return SlackClient(
            given.bot_token, api_url=given.api_url, patience=0, pace=self.slack.pace, closed=self.slack.closed
        )


class Parts:
    """All of one process. `start` begins their work, `stop` ends it in the order that loses nothing."""

    def __init__(self, basis: Basis) -> None:
        self._outbox_slack = basis.slack_without_patience()
        self._webhooks = Webhooks()
        pulse, reach = Pulse(), Reach(basis.settings, self._webhooks)
        self.channel = IncidentsChannel(basis.slack, basis.channel, on_back=lambda: _retry_undeliverable(basis))
        sender = Sender(
            basis.database,
            self._outbox_slack,
            poll_s=self._poll_s,
            metrics=basis.metrics,
            on_time=pulse.part("outbox", late_after_s=OUTBOX_LATE_AFTER_S),
            undeliverable=Undeliverable(
                self._outbox_slack,
                environment=basis.settings.environment,
                recipients=lambda: page_recipients(basis.world, basis.slack),
                pagers=reach.everybody,
                rung=self.channel.ring,
            ),
            workspace_url=basis.workspace_url,
        )
        self.told = sender.ring
        self.switch = _switch(basis, self._webhooks, pulse)
        self.hints = Hints(basis.database, hears=lambda: self._doorbell.works)
        self.changing = _changing(basis, sender, hears=lambda: self._doorbell.works, poll_s=self._poll_s)
        rules = usable_rules(basis.settings.alerts)
        messages = AlertMessages(
            rules,
            channel=basis.channel,
            railway_every_s=basis.settings.watching.railway_every_s,
            home=home_of,
            owners=owners_of,
        )
        board = make_board(basis.world, self.changing.names.of, sender.ring, messages.say)
        retell = partial(board.retell, basis.database)
        self.changing.desk.on_request = ImpliedAcknowledgement(basis.database, board).on_request
        notifiers = _notifiers(basis, reach, sender, pulse, self._poll_s, retell)
        self.room = make_room(basis.world, basis.database, board, self.changing.groups, self.changing.names)
        escalation = Escalation(
            basis.database,
            board,
            poll_s=self._poll_s,
            on_time=pulse.part("escalation", late_after_s=ESCALATION_LATE_AFTER_S),
        )
        briefing = Briefing(basis.database, basis.world, board, poll_s=self._poll_s)
        keeper = DrillKeeper(basis.database, board, poll_s=self._poll_s)
        rollouts = RolloutWatch(basis.world, basis.database, channel=basis.channel, told=sender.ring)
        on_alert = Alerting(board).on_alert
        environment = basis.settings.environment
        teller = AlertTeller(rules, messages, environment=environment, metrics=basis.metrics, on_alert=on_alert)
        watch = Watch(
            basis.world,
            basis.database,
            rules,
            teller,
            told=sender.ring,
            on_time=pulse.part("evaluation", late_after_s=EVALUATION_LATE_AFTER_S),
            on_services=rollouts.see,
            name_of=self.changing.names.known,
        )
        self.hints.listen(watch.hint)
        self.hints.listen(keeper.ring)
        incidents: tuple[Part, ...] = (escalation, briefing, keeper)
        watched: tuple[Part, ...] = (watch, rollouts, sender, notifiers, *incidents, *self.changing.leading)
        self.leader = _leader(basis, sender, [*watched, *([self.switch] if self.switch else [])])
        self.outage = _outage(basis, self.leader, reach, sender)
        self.room.acknowledge_outage = self.outage.acknowledge_if_away
        # One session hears for the whole process.
        bells = {
            OUTBOX_CHANNEL: sender.ring,
            RUNS_CHANNEL: self.changing.ring,
            NOTIFICATIONS_CHANNEL: notifiers.ring,
            HINTS_CHANNEL: self.hints.heard,
            INCIDENTS_CHANNEL: _all_of(escalation.ring, briefing.ring),
        }
        dsn = require(basis.settings.database).url
        self._doorbell = Doorbell(dsn, bells, application_name="dragonfly-bot")
        self._working: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self.changing.start()
        everywhere = (self.leader, self._doorbell, self.hints, self.outage, self.channel)
        self._working = [asyncio.create_task(part.run()) for part in everywhere]

    async def stop(self) -> None:
        """Runs handed over, outbox flushed, lease released."""
        await self.changing.stop()
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        await self.leader.release()
        await self._webhooks.aclose()
        await self._outbox_slack.aclose()

    def _poll_s(self) -> float:
        """How often to look for what no notice told of."""
        return POLL_S if self._doorbell.works else POLL_WITHOUT_NOTICES_S


async def _retry_undeliverable(basis: Basis) -> None:
    """The incidents channel takes messages again: so do those that it refused of late."""
    async with basis.database.transaction() as conn:
        await outbox.retry_undeliverable(conn, channel=basis.channel, window=RETRY_REFUSED_WITHIN)


def _all_of(*rings: Callable[[], None]) -> Callable[[], None]:
    """One bell for several."""

    def ring() -> None:
        for one in rings:
            one()

    return ring


def _changing(basis: Basis, sender: Sender, *, hears: Callable[[], bool], poll_s: Callable[[], float]) -> Changing:
    return Changing(
        basis.settings,
        basis.world,
        basis.database,
        basis.slack,
        channel=basis.channel,
        owner=basis.owner,
        workspace=basis.workspace,
        profiles=basis.profiles,
        told=sender.ring,
        hears=hears,
        poll_s=poll_s,
    )


def _leader(basis: Basis, sender: Sender, parts: Sequence[Part]) -> Leader:
    """What only one replica does at a time."""
    work = Leading(basis.database, parts, keep_run_steps=basis.settings.keep_run_steps)
    leases = basis.settings.leases
    return Leader(
        basis.database,
        owner=basis.owner,
        settings=leases,
        writes=WriteProbe(basis.database, timeout_s=leases.renew_every.total_seconds()),
        work=work.run,
        finish=sender.flush,
    )


def _switch(basis: Basis, webhooks: Webhooks, pulse: Pulse) -> DeadMansSwitch | None:
    """None when nobody outside listens."""
    monitor = basis.settings.monitor
    if isinstance(monitor, Invalid) or monitor.url is None:
        return None
    return DeadMansSwitch(basis.database, webhooks, monitor.url, pulse=pulse)


def _outage(basis: Basis, leader: Leader, reach: Reach, sender: Sender) -> Outage:
    settings = basis.settings.outage
    phones = Phones(reach, environment=basis.settings.environment)
    paging = OutagePaging(
        basis.slack,
        phones,
        levels=lambda: on_call_levels(basis.world, reach),
        grace=timedelta(seconds=settings.others_after_s + settings.spread_s),
        look_every=timedelta(seconds=settings.find_every_s),
    )
    return Outage(
        leader,
        basis.world,
        basis.database,
        basis.slack,
        phones,
        paging,
        channel=basis.channel,
        settings=settings,
        told=sender.ring,
        links=_outage_links(basis.settings),
    )


def _outage_links(settings: Settings) -> dict[str, str]:
    """Where people look while the database is away."""
    identity, railway = settings.identity, settings.railway
    ref = None if isinstance(identity, Invalid) else project_ref(identity.supabase_url)
    links = {"Supabase status": STATUS_PAGE} | (database_log_link(ref) if ref else {})
    if not isinstance(railway, Invalid):
        links["Railway"] = project_link(railway.project_id, railway.environment_id)
    return links


def _notifiers(
    basis: Basis,
    reach: Reach,
    sender: Sender,
    pulse: Pulse,
    poll_s: Callable[[], float],
    retell: Callable[[str], Awaitable[None]],
) -> Notifiers:
    return Notifiers(
        basis.database,
        reach,
        environment=basis.settings.environment,
        workspace_url=basis.workspace_url,
        channel=basis.channel,
        poll_s=poll_s,
        told=sender.ring,
        metrics=basis.metrics,
        pulse=pulse,
        retell=retell,
    )
