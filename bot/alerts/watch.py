"""Watches the heartbeats from deadline to deadline and stores what people are to be told. Runs on the leader only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bot.alerts.decide import Drop, Fire, Open, Resolve, Transition, Update, decide, next_look
from bot.alerts.replicas import Replicas
from bot.facts import HeartbeatReading, KnownReplicas, World
from bot.leader import Fence
from bot.views import alerts as view
from bot.web.metrics import Metrics
from playbooks._contract import Finding
from playbooks.checks import heartbeats
from services.domain.alerts import AlertChange, AlertEvent, AlertState, OpenAlert, Severity
from services.domain.errors import SourceError, Unavailable
from services.postgres import alerts, outbox
from services.postgres.pool import Connection, Database

logger = logging.getLogger(__name__)

MARGIN = timedelta(milliseconds=20)  # a beat counts *until* its deadline; look just after it
BUSY_LOOK = timedelta(seconds=2)  # while something is wrong, its end must be seen soon
IDLE_LOOK = timedelta(seconds=30)  # a first worker may appear, replicas may be added
RETRY = timedelta(seconds=5)
PAGE = 10  # priority in the outbox
AFTERMATH_S = 90.0  # workers come back within this after the database does (DESIGN §6)


OnAlert = Callable[[Connection, AlertEvent], Awaitable[None]]


async def _nobody_acts(conn: Connection, event: AlertEvent) -> None:
    """What `on_alert` does when nothing else is given."""


class HeartbeatWatch:
    """`told` is called when something new is in the outbox. `channel` is where people are told.

    `on_alert` is called inside the transaction that stores an alert's new state: what it writes is as true as that.
    `on_time` is called after each evaluation that saw everything.
    """

    def __init__(
        self,
        world: World,
        database: Database,
        *,
        channel: str,
        told: Callable[[], None],
        metrics: Metrics,
        on_alert: OnAlert = _nobody_acts,
        on_time: Callable[[], None] = lambda: None,
    ) -> None:
        self._world = world
        self._database = database
        self._channel = channel
        self._told = told
        self._on_time = on_time
        self._metrics = metrics
        self._on_alert = on_alert
        self._replicas = Replicas(world)
        self._away_until = float("-inf")  # when the effects of the database's absence are over

    async def run(self, fence: Fence) -> None:
        """Watch until cancelled. Raises LostLeadershipError."""
        try:
            while True:
                await asyncio.sleep((await self._look_or_retry(fence)).total_seconds())
        finally:
            await self._replicas.close()

    async def look(self, fence: Fence) -> timedelta:
        """Evaluate once; how long until the next time. Raises SourceError when the database is away."""
        known_replicas = await self._replicas.known()  # first: the heartbeats are to be the freshest
        read_at = asyncio.get_running_loop().time()
        facts = await self._read_facts(known_replicas)
        if isinstance(facts.heartbeats, Unavailable):
            logger.warning("heartbeats: %s", facts.heartbeats.why)
            self._away_until = read_at + AFTERMATH_S
            return RETRY
        async with self._database.read() as conn:
            known = await alerts.list_open_alerts(conn)
        transitions = decide(facts, known, database_was_away=read_at < self._away_until)
        if transitions:
            around = await self._look_around(transitions)
            async with self._database.transaction() as conn:
                await fence.lock(conn)
                for transition in transitions:
                    await self._apply(conn, transition, facts.as_of, around)
                known = await alerts.list_open_alerts(conn)
            self._told()
        self._on_time()
        spent = timedelta(seconds=asyncio.get_running_loop().time() - read_at)
        return max(_pause(facts, known) - spent, MARGIN)

    async def _look_or_retry(self, fence: Fence) -> timedelta:
        try:
            return await self.look(fence)
        except SourceError as error:
            logger.warning("alerts: %s", error.why)
            return RETRY

    async def _read_facts(self, known: KnownReplicas) -> heartbeats.Facts:
        reading = await self._world.heartbeats()
        if not isinstance(reading, HeartbeatReading):
            return heartbeats.Facts(datetime.min, reading, known.counts, self._world.settings.stale_after)  # noqa: DTZ901
        return heartbeats.Facts(
            as_of=reading.as_of,
            heartbeats=reading.rows,
            expected=known.counts,
            stale_after=self._world.settings.stale_after,
            expected_age=known.age,
            all_visible=reading.all_visible,
        )

    async def _look_around(self, transitions: list[Transition]) -> view.Surroundings:
        environment = self._world.settings.environment
        if not any(isinstance(transition, Fire | Update) for transition in transitions):
            return view.Surroundings(environment)
        queue = await self._world.queue()
        return view.Surroundings(
            environment, None if isinstance(queue, Unavailable) else queue, self._replicas.last_deploy
        )

    async def _apply(self, conn: Connection, transition: Transition, at: datetime, around: view.Surroundings) -> None:
        self._metrics.alerts.labels(type(transition).__name__.lower()).inc()
        match transition:
            case Open(finding):
                logger.info("%s is pending: no worker fell silent, it may be on its way", finding.check)
                await alerts.open_alert(conn, fingerprint=finding.check, since=at, summary=finding.title)
            case Drop(alert):
                logger.info("%s passed; nobody was told", alert.fingerprint)
                await alerts.drop_alert(conn, id=alert.id)
            case Fire() | Update():
                await self._fire(conn, transition, at, around)
            case Resolve(finding, alert):
                logger.info("%s resolved: %s", alert.fingerprint, finding.title)
                await alerts.resolve_alert(conn, id=alert.id, at=at, summary=finding.title)
                key = await self._say(conn, alert.id, *view.resolved(finding, around, since=alert.since, at=at))
                line = view.end_line(finding, around)
                await self._on_alert(conn, _event(AlertChange.RESOLVED, alert.id, finding, line, at, key))

    async def _fire(self, conn: Connection, transition: Fire | Update, at: datetime, around: view.Surroundings) -> None:
        finding, alert = transition.finding, transition.alert
        logger.info("%s fires: %s", finding.check, finding.title)
        since = alert.since if alert else at
        number = alert.id if alert else await _open(conn, finding.check, since, finding.title)
        key = await self._say(conn, number, *view.firing(finding, around, as_of=at, since=since))
        await alerts.fire_alert(conn, id=number, at=at, summary=finding.title, message_key=key)
        change = AlertChange.FIRED if isinstance(transition, Fire) else AlertChange.CHANGED
        line = view.page_line(finding, around, as_of=at)
        await self._on_alert(conn, _event(change, number, finding, line, at, key))

    async def _say(self, conn: Connection, number: int, text: str, blocks: list[dict[str, object]]) -> str:
        """One message an episode, edited in place; its key."""
        key = f"alert:{number}"
        await outbox.store_message(conn, key=key, channel=self._channel, text=text, blocks=blocks, priority=PAGE)
        return key


async def _open(conn: Connection, fingerprint: str, since: datetime, summary: str) -> int:
    return await alerts.open_alert(conn, fingerprint=fingerprint, since=since, summary=summary)


def _event(change: AlertChange, number: int, finding: Finding, line: str, at: datetime, key: str) -> AlertEvent:
    return AlertEvent(
        number, finding.check, change, Severity.PAGE, finding.service, finding.title, line, at, message_key=key
    )


def _pause(facts: heartbeats.Facts, known: list[OpenAlert]) -> timedelta:
    """Until the next deadline, measured by the database's clock from the moment it answered."""
    longest = BUSY_LOOK if known else IDLE_LOOK
    deadline = next_look(facts, [alert for alert in known if alert.state is AlertState.PENDING])
    if deadline is None:
        return longest
    return min(deadline + MARGIN - facts.as_of, longest)
