"""The one place where everything is wired: settings in, a bot that starts, works and stops in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from datetime import UTC, datetime
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bot.alerts.watch import HeartbeatWatch
from bot.announce import announce_disabled
from bot.approvals.policy_file import policy_faults
from bot.changing import Changing
from bot.facts import World
from bot.leader import Leader
from bot.leading import Leading
from bot.outbox.sender import Sender
from bot.settings import Settings, SlackSettings, WebSettings, require
from bot.slack_edge.acknowledge import acknowledge
from bot.slack_edge.answering import deliver
from bot.slack_edge.asker import read_asker
from bot.slack_edge.listeners import Listeners
from bot.slack_edge.once import Once
from bot.slack_edge.socket_mode import SocketMode
from bot.views.errors import error_answer
from bot.web.app import add_events, create_app
from bot.web.health import Health
from bot.web.metrics import Metrics
from bot.web.server import WebServer
from services.domain.bot_state import BotState
from services.domain.errors import OperatorError, SourceError
from services.postgres.doorbell import Doorbell
from services.postgres.outbox import CHANNEL as OUTBOX_CHANNEL
from services.postgres.pool import Database
from services.postgres.runs import CHANNEL as RUNS_CHANNEL
from services.process.log import describe_error
from services.slack.client import Identity, SlackClient
from services.slack.errors import SlackRefusedError

logger = logging.getLogger(__name__)

POLL_S, POLL_WITHOUT_NOTICES_S = 30.0, 5.0
DRAIN_S = 8.0  # commands answer within about six seconds
RETRY_S = 5.0


class Bot:
    """One process. `start` returns once Slack is reached; `stop` ends in the order of DESIGN §4."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._slack_settings: SlackSettings = require(settings.slack)
        self._faults = (*settings.faults, *policy_faults(settings.people))
        self._owner = f"bot-{secrets.token_hex(6)}"
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._stopping = False
        self._identity: Identity | None = None
        self.metrics = Metrics()
        self.world = World.from_settings(settings, bot_state=self._state)
        self.slack = SlackClient(self._slack_settings.bot_token, api_url=self._slack_settings.api_url)
        self.once = Once(self.world.database, owner=self._owner)
        self._leader: Leader | None = None
        self._doorbell: Doorbell | None = None
        self.changing: Changing | None = None
        if self.world.database is not None:
            sender = Sender(self.world.database, self.slack, poll_s=self._poll_s, metrics=self.metrics)
            self.changing = self._make_changing(self.world.database, sender)
            self._leader = self._make_leader(self.world.database, sender, self.changing)
            self._doorbell = self._make_doorbell(sender, self.changing)
        self.bolt = self._make_bolt()
        self.web = self._make_web()
        self._sockets = self._make_sockets()
        self._working: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Serve, reach Slack, then lead if it is our turn. Raises OperatorError for tokens that Slack refuses."""
        await self.web.open()
        self._identity = await self._identify()
        logger.info("in Slack as %s", self._identity.user_id)
        if self.changing is not None:
            self.changing.start()
        for part in (self._leader, self._doorbell):
            if part is not None:
                self._working.append(asyncio.create_task(part.run()))
        await announce_disabled(self._faults, self.settings, self.world.database, self.slack)
        if self._sockets is not None:  # last: alerts need only the Web API, and this waits until Slack lets us in
            await self._sockets.open()

    async def stop(self) -> None:
        """Not ready, sockets closed, work finished, outbox flushed, lease released, connections closed."""
        self._stopping = True
        if self._sockets is not None:
            await self._sockets.close()
        await self.once.drain(DRAIN_S)
        if self.changing is not None:
            await self.changing.stop()
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        if self._leader is not None:
            await self._leader.release()
        await self.world.close()
        await self.slack.aclose()
        await self.web.close()

    async def health(self) -> Health:
        """What /healthz tells."""
        database: str | None = "not configured"
        if self._leader is not None:
            database = self._leader.database_problem
        return Health(
            slack_connections=self._connections,
            slack_expected=self._sockets.expected if self._sockets else 1,
            database=database,
            leader=self._leader is not None and self._leader.is_leading,
            disabled=self._faults,
            git_sha=self.settings.git_sha,
            uptime_s=time.monotonic() - self._started,
        )

    async def show_error(self, error: Exception, body: dict[str, Any]) -> None:
        """The only place that shows errors. What is unexpected is logged once, without anything of the payload."""
        reference = None
        if not isinstance(error, OperatorError | SourceError):
            reference = secrets.token_hex(4)
            logger.error("unexpected error, reference %s: %s", reference, describe_error(error))
        asker = read_asker(body)
        if asker is None:
            return
        answer = error_answer(error, reference=reference)
        try:
            await deliver(self.slack, answer, asker, key=None)
        except SourceError as failure:
            logger.warning("an error could not be shown: %s", failure.why)

    @property
    def _connections(self) -> int:
        if self._stopping:
            return 0
        return self._sockets.connected if self._sockets else int(self._identity is not None)

    def _state(self) -> BotState:
        leading = self._leader.is_leading if self._leader else None
        return BotState(self.settings.git_sha, self._started_at, self._connections > 0, leading)

    async def _identify(self) -> Identity:
        """Ask Slack who we are, again and again while it cannot be reached."""
        while True:
            try:
                return await self.slack.identify()
            except SourceError as error:
                if isinstance(error, SlackRefusedError) and not error.retryable:
                    raise OperatorError(
                        "The bot cannot start",
                        why=f"Slack refuses SLACK_BOT_TOKEN ({error.code})",
                        what_next="Install the app into the workspace and copy its Bot User OAuth Token.",
                    ) from None
                logger.warning("Slack: %s; again in %g s", error.why, RETRY_S)
                await asyncio.sleep(RETRY_S)

    def _authorization(self) -> AuthorizeResult:
        """Bolt wants it for every payload: known since the start, so that no acknowledgement waits for auth.test."""
        known = self._identity or Identity("", "", "")
        return AuthorizeResult(
            enterprise_id=None,
            team_id=known.team_id,
            bot_user_id=known.user_id,
            bot_id=known.bot_id,
            bot_token=self._slack_settings.bot_token.reveal(),
        )

    def _make_bolt(self) -> AsyncApp:
        quiet = logging.getLogger("slack_bolt.app")
        quiet.setLevel(logging.ERROR)  # it warns of things that are so on purpose

        async def authorize() -> AuthorizeResult:  # Bolt would take a method's `self` for an argument of its own
            return self._authorization()

        # Signatures are the guard's business: it knows two secrets and reads before Bolt parses.
        bolt = AsyncApp(logger=quiet, authorize=authorize, request_verification_enabled=False)
        bolt.use(acknowledge)
        desk = self.changing.desk if self.changing else None
        Listeners(world=self.world, slack=self.slack, desk=desk, once=self.once, metrics=self.metrics).register(bolt)

        @bolt.error
        async def handle(error: Exception, body: dict[str, Any]) -> None:
            await self.show_error(error, body)

        return bolt

    def _make_web(self) -> WebServer:
        app = create_app(health=self.health, metrics=self.metrics)
        if not self._slack_settings.uses_socket_mode:
            add_events(app, self.bolt, self._slack_settings.signing_secrets)
        port = self.settings.web.port if isinstance(self.settings.web, WebSettings) else WebSettings().port
        return WebServer(app, port=port)

    def _make_sockets(self) -> SocketMode | None:
        token = self._slack_settings.app_token
        return SocketMode(self.bolt, self.slack, token) if token else None

    def _make_doorbell(self, sender: Sender, changing: Changing) -> Doorbell:
        """One session hears for the whole process."""
        dsn = require(self.settings.database).url
        bells = {OUTBOX_CHANNEL: sender.ring, RUNS_CHANNEL: changing.runner.ring}
        return Doorbell(dsn, bells, application_name="dragonfly-bot")

    def _make_changing(self, database: Database, sender: Sender) -> Changing:
        return Changing(
            self.settings,
            self.world,
            database,
            self.slack,
            channel=self._slack_settings.incidents_channel,
            owner=self._owner,
            workspace=lambda: self._identity.team_id if self._identity else None,
            told=sender.ring,
        )

    def _make_leader(self, database: Database, sender: Sender, changing: Changing) -> Leader:
        watch = HeartbeatWatch(
            self.world,
            database,
            channel=self._slack_settings.incidents_channel,
            told=sender.ring,
            metrics=self.metrics,
        )
        work = Leading(database=database, watch=watch, sender=sender, expiry=changing.expiry)
        return Leader(database, owner=self._owner, settings=self.settings.leases, work=work.run, finish=sender.flush)

    def _poll_s(self) -> float:
        """How often to look for what no notice told of."""
        return POLL_S if self._doorbell and self._doorbell.works else POLL_WITHOUT_NOTICES_S


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Start, work until `stop` is set, and stop; a stop during the start is a stop too."""
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
