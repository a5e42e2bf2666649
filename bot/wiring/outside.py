"""Wires sending and paging: Slack's outbox, pagers, the dead man's switch, and the database outage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from bot.config.environment import Settings
from bot.config.fields import Invalid
from bot.delivery.outbox import Sender
from bot.delivery.pages import Pagers, PagerTransport, pager_deliveries
from bot.delivery.undeliverable import Undeliverable
from bot.leader import Leader
from bot.outage.database import Outage
from bot.outage.pages import OutagePagers, OutagePaging, on_call_levels
from bot.periodic_tasks import HeartbeatMonitor, PeriodicTask
from bot.slack.incidents_channel import IncidentsChannel
from bot.wake_ups import WakeUps
from bot.watchdog import DeadMansSwitch
from bot.wiring.core import CoreWiring
from bot.wiring.people import page_recipients, phones_behind
from services.clients.pagers.webhook import Webhooks
from services.clients.postgres import messages as outbox
from services.clients.railway.parsing import project_link
from services.clients.slack import SlackClient
from services.domain.channels import OUTSIDE_SLACK
from services.domain.services import STATUS_PAGE, database_log_link, project_ref

RETRY_REFUSED_WITHIN = timedelta(hours=1)  # older refused messages are out of date


def make_incidents_channel(core_wiring: CoreWiring, wake_ups: WakeUps) -> IncidentsChannel:
    return IncidentsChannel(
        core_wiring.slack,
        core_wiring.channel,
        refused=wake_ups.channel,
        on_back=lambda: _retry_undeliverable(core_wiring),
    )


async def _retry_undeliverable(core_wiring: CoreWiring) -> None:
    """Retry the messages that the incidents channel refused recently, because it accepts messages again."""
    async with core_wiring.database.transaction() as conn:
        await outbox.retry_undeliverable(conn, channel=core_wiring.channel, window=RETRY_REFUSED_WITHIN)


def make_sender(core_wiring: CoreWiring, slack: SlackClient, pagers: Pagers, wake_ups: WakeUps) -> Sender:
    """Make the outbox's sender. `slack`: a client for the outbox only."""
    return Sender(
        core_wiring.database,
        slack,
        wake_ups=wake_ups,
        metrics=core_wiring.metrics,
        undeliverable=Undeliverable(
            slack,
            environment=core_wiring.settings.environment,
            recipients=lambda: page_recipients(core_wiring.world, core_wiring.slack),
            pagers=pagers.everybody,
            refused=wake_ups.channel,
        ),
        workspace_url=core_wiring.workspace_url,
    )


def make_switch(
    core_wiring: CoreWiring, webhooks: Webhooks, heartbeat_monitor: HeartbeatMonitor
) -> DeadMansSwitch | None:
    """Make the dead man's switch; None if no monitor is configured."""
    monitor = core_wiring.settings.monitor
    if isinstance(monitor, Invalid) or monitor.url is None:
        return None
    return DeadMansSwitch(core_wiring.database, webhooks, monitor.url, heartbeat_monitor=heartbeat_monitor)


def make_outage(core_wiring: CoreWiring, leader: Leader, pagers: Pagers, wake_ups: WakeUps) -> Outage:
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
    """Links for people during a database outage: `{label: address}`."""
    identity, railway = settings.identity, settings.railway
    ref = None if isinstance(identity, Invalid) else project_ref(identity.supabase_url)
    links = {"Supabase status": STATUS_PAGE} | (database_log_link(ref) if ref else {})
    if not isinstance(railway, Invalid):
        links["Railway"] = project_link(railway.project_id, railway.environment_id)
    return links


def make_notifiers(
    core_wiring: CoreWiring, pagers: Pagers, wake_ups: WakeUps, rewrite_root: Callable[[str], Awaitable[None]]
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
            rewrite_root=rewrite_root,
            phones_of=partial(phones_behind, core_wiring.world),
        )
        for means in OUTSIDE_SLACK
    )
    return pager_deliveries(transports, wake_ups)
