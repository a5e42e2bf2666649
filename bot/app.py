"""Starts the bot from its settings, runs it, and stops it in order."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import logging
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot import tracing
from bot.config.alerts_file import rule_faults
from bot.config.behavior import WebSettings
from bot.config.connections import SlackSettings
from bot.config.environment import Settings, require
from bot.config.fields import Fault, Invalid
from bot.config.oncall_file import schedule_faults
from bot.config.policy_file import policy_faults
from bot.incidents.answer_routes import add_answer_links, add_pagerduty_hook
from bot.machines.door import MachineDoor, add_machine_door
from bot.oncall.calendar_subscriptions import add_calendars
from bot.railway.webhook import add_railway_hook
from bot.slack.app import BotIdentity, make_bolt
from bot.slack.dedup import Deduplicator
from bot.slack.dropped_events import DroppedEvents
from bot.slack.gate import Gate
from bot.slack.handlers import Listeners
from bot.slack.socket_mode import SocketMode
from bot.slack_directory import make_profiles
from bot.views.alerts import disabled
from bot.wake_ups import WakeUps
from bot.web.app import WebServer, add_events, create_app
from bot.web.metrics import Health, Metrics
from bot.wiring.core import CoreWiring
from bot.wiring.process import Wiring
from bot.world import World
from services.clients.postgres.messages import store_message
from services.clients.postgres.pool import Database
from services.clients.slack import SlackClient, Urgency
from services.clients.slack_charts import Blocks
from services.domain.errors import SourceError
from services.domain.health import BotState

logger = logging.getLogger(__name__)

_AGAIN_AFTER = timedelta(days=1)  # without a database, so that restarts do not repeat the message


async def announce_disabled(
    faults: Sequence[Fault], settings: Settings, database: Database | None, slack: SlackClient
) -> None:
    """Post the settings that are disabled, if any. The same faults are posted once across replicas and restarts."""
    if not faults:
        return
    for fault in faults:
        logger.warning("disabled: %s", fault)
    channel = require(settings.slack).incidents_channel
    shown = [(fault.variable, fault.problem) for fault in faults]
    key = "settings:" + hashlib.sha256(repr(sorted(shown)).encode()).hexdigest()[:16]
    text, blocks = disabled(shown, settings.environment)
    try:
        if database is None or not await _stored(database, key, channel, text, blocks):
            await _post(slack, key, channel, text, blocks)
    except SourceError as error:
        logger.warning("missing settings were not announced in the channel: %s", error.why)


async def _stored(database: Database, key: str, channel: str, text: str, blocks: Blocks) -> bool:
    try:
        async with database.transaction() as conn:
            await store_message(conn, key=key, channel=channel, text=text, blocks=blocks)
    except SourceError as error:
        logger.warning("the outbox cannot be written: %s", error.why)
        return False
    return True


async def _post(slack: SlackClient, key: str, channel: str, text: str, blocks: Blocks) -> None:
    channel_id = await slack.channel_id(channel)
    try:
        if await slack.find(channel_id, key, since=datetime.now(UTC) - _AGAIN_AFTER) is not None:
            return
    except SourceError as error:
        logger.info("unknown whether it was announced already: %s", error.why)
    await slack.post(channel_id, text, blocks, key=key, urgency=Urgency.NOTE)


DRAIN_S = 8.0  # commands answer within about six seconds


class Bot:
    """The bot's process. `start` returns once Slack is connected; `stop` shuts down in an order that loses nothing."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._slack_settings: SlackSettings = require(settings.slack)
        faults = (policy_faults(settings.people), schedule_faults(settings.oncall), rule_faults(settings.alerts))
        self._faults = (*settings.faults, *itertools.chain.from_iterable(faults))
        self._owner = f"bot-{secrets.token_hex(6)}"
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._stopping = False
        self.metrics = Metrics()
        self.world = World.from_settings(settings, bot_state=self._state)
        self.world.workspace_url = self._workspace_url
        self.slack = SlackClient(
            self._slack_settings.bot_token,
            api_url=self._slack_settings.api_url,
            origin=self._slack_settings.origin,
        )
        self._bot_identity = BotIdentity(self.slack, self._slack_settings.bot_token)
        self._profiles = make_profiles(self.slack)
        self._deduplicator = Deduplicator(self.world.database, owner=self._owner)
        self.wiring = self._make_wiring()
        self._gate = Gate(
            self.slack,
            self._profiles,
            workspace=lambda: self._bot_identity.workspace,
            channel=self._incidents_channel,
            environment=self._slack_settings.origin.environment,
        )
        self._bolt = make_bolt(
            self._make_listeners(),
            self._bot_identity,
            self.slack,
            gate=self._gate,
            dropped_events=DroppedEvents(
                self.world.database,
                self.slack,
                channel=self._incidents_channel,
                wake_ups=self.wiring.wake_ups if self.wiring else WakeUps(),
            ),
        )
        self.web = self._make_web()
        self._sockets = self._make_sockets()

    async def start(self) -> None:
        """Serve HTTP, start the tasks, connect to Slack. Raises OperatorError for tokens that Slack refuses."""
        traces = self.settings.traces
        tracing.start(None if isinstance(traces, Invalid) else traces.endpoint, environment=self.settings.environment)
        await self.web.open()
        await self._bot_identity.find_out()
        if self.wiring is not None:
            await self.wiring.start()
        await announce_disabled(self._faults, self.settings, self.world.database, self.slack)
        if self._sockets is not None:  # last: it waits for Slack to accept it, and alerts need only the Web API
            await self._sockets.open()

    async def stop(self) -> None:
        """Report not ready, close sockets, finish commands, flush the outbox, release the lease, disconnect."""
        self._stopping = True
        if self._sockets is not None:
            await self._sockets.close()
        await self._deduplicator.drain(DRAIN_S)
        if self.wiring is not None:
            await self.wiring.stop()
        await self._gate.aclose()
        await self._profiles.aclose()
        await self.world.close()
        await self.slack.aclose()
        await self.web.close()
        await asyncio.to_thread(tracing.stop)  # last: the shutdown itself may record spans

    async def health(self) -> Health:
        """Return the state that /healthz reports."""
        leader = self.wiring.leader if self.wiring else None
        return Health(
            slack_connections=self._connections,
            slack_expected=self._sockets.expected if self._sockets else 1,
            database=leader.database_problem if leader else "not configured",
            leader=leader is not None and leader.is_leading,
            disabled=self._faults,
            late=self.wiring.switch.late if self.wiring and self.wiring.switch else (),
            channel=self.wiring.channel.problem if self.wiring else None,
            git_sha=self.settings.git_sha,
            uptime_s=time.monotonic() - self._started,
        )

    @property
    def _incidents_channel(self) -> str:
        return self._slack_settings.incidents_channel

    @property
    def _connections(self) -> int:
        if self._stopping:
            return 0
        return self._sockets.connected if self._sockets else int(self._bot_identity.identity is not None)

    def _state(self) -> BotState:
        leader_tasks = self.wiring.leader.is_leading if self.wiring else None
        problem = self.wiring.channel.problem if self.wiring else None
        is_connected = self._stopping or self._connections > 0  # acknowledged commands are still answered
        return BotState(self.settings.git_sha, self._started_at, is_connected, leader_tasks, problem)

    def _make_wiring(self) -> Wiring | None:
        if self.world.database is None:
            return None
        return Wiring(
            CoreWiring(
                settings=self.settings,
                world=self.world,
                database=self.world.database,
                slack=self.slack,
                owner=self._owner,
                workspace=lambda: self._bot_identity.workspace,
                workspace_url=self._workspace_url,
                profiles=self._profiles,
                metrics=self.metrics,
            )
        )

    def _make_listeners(self) -> Listeners:
        return Listeners(
            world=self.world,
            slack=self.slack,
            approval_service=self.wiring.changing.approval_service if self.wiring else None,
            incident_service=self.wiring.incident_service if self.wiring else None,
            outage=self.wiring.outage if self.wiring else None,
            deduplicator=self._deduplicator,
            metrics=self.metrics,
            bot_user=lambda: self._bot_identity.identity.user_id if self._bot_identity.identity else None,
            workspace=lambda: self._bot_identity.workspace,
        )

    def _make_web(self) -> WebServer:
        app = create_app(health=self.health, metrics=self.metrics)
        if not self._slack_settings.uses_socket_mode:
            add_events(app, self._bolt, self._slack_settings.signing_secrets)
        hooks, railway = self.settings.hooks, self.settings.railway
        if self.wiring is not None and not isinstance(hooks, Invalid):
            environment_id = None if isinstance(railway, Invalid) else railway.environment_id
            wake_up = self.wiring.wake_ups.webhook
            add_railway_hook(
                app,
                secrets=hooks.railway_secrets,
                environment_id=environment_id,
                wake_up=wake_up,
                notify=self.wiring.railway_notices.take,
            )
            add_pagerduty_hook(app, self.wiring.answers, hooks.pagerduty_secrets)
            if hooks.public_url is not None:
                add_answer_links(app, self.wiring.answers)
                add_calendars(app, self.wiring.calendars)
            if hooks.machines and self.wiring.changing.approval_service is not None:
                add_machine_door(app, self.make_machine_door(self.wiring), hooks.machines)
        port = self.settings.web.port if isinstance(self.settings.web, WebSettings) else WebSettings().port
        return WebServer(app, port=port)

    def make_machine_door(self, wiring: Wiring) -> MachineDoor:
        """Make the handler of requests from machines (CI and other programs)."""
        return MachineDoor(
            world=self.world,
            approval_service=wiring.changing.approval_service,
            incident_service=wiring.incident_service,
            slack=self.slack,
            channel=self._incidents_channel,
            workspace_url=self._workspace_url,
        )

    def _workspace_url(self) -> str | None:
        return self._bot_identity.identity.url if self._bot_identity.identity else None

    def _make_sockets(self) -> SocketMode | None:
        token = self._slack_settings.app_token
        return SocketMode(self._bolt, self.slack, token) if token else None


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Start the bot, run it until `stop` is set, and stop it. `stop` may be set during the start, too."""
    bot = Bot(settings)
    starting = asyncio.create_task(bot.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await stopping
    finally:
        for task in (starting, stopping):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(starting, stopping, return_exceptions=True)
        await bot.stop()
