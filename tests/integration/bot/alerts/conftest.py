"""The evaluator over a real database: the alerts it stores, and the messages it writes for Slack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.rows import class_row

from bot.alerts.evaluator import Evaluator
from bot.alerts.messages import AlertMessages, AlertMessageWriter
from bot.config.alerts import AlertRules
from bot.config.alerts_file import default_rules
from bot.incidents.from_alerts import AlertRouting, incident_thread_of, owners_of
from bot.incidents.store import IncidentStore, Place
from bot.leader import Fence
from bot.wake_ups import WakeUps
from bot.web.metrics import Metrics
from bot.world import World
from services.clients.postgres import alerts, leases
from services.clients.postgres.pool import Connection, Database
from services.domain.alerts import Alert, AlertDecision, AlertEvent
from tests.conftest import DatabaseUrls
from tests.integration.bot.conftest import System

LEASE = timedelta(minutes=5)


@dataclass(frozen=True)
class Posted:
    """One message of the outbox. `thread_key` is None for a message in the channel."""

    key: str
    thread_key: str | None
    text: str
    priority: int


@dataclass
class Engine:
    """One leader's evaluator. `events`: what `on_alert` was called with. `rules`: apply from the next `restart` on."""

    world: World
    database: Database
    urls: DatabaseUrls
    fence: Fence
    events: list[AlertEvent] = field(default_factory=list)
    rules: AlertRules = field(default_factory=default_rules)
    watch: Evaluator = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start with a new evaluator, which knows only what is stored."""
        messages = AlertMessages(self.rules, channel="c")
        message_writer = AlertMessageWriter(
            self.rules, messages, environment="prod", metrics=Metrics(), on_alert=self._note
        )
        self.watch = Evaluator(self.world, self.database, self.rules, message_writer, wake_ups=WakeUps())

    async def tick(self) -> float:
        return await self.watch.tick(self.fence)

    async def posted(self) -> list[Posted]:
        """Return every message, in the order in which they were first stored."""
        async with await psycopg.AsyncConnection.connect(self.urls.superuser, row_factory=class_row(Posted)) as conn:
            rows = await conn.execute("SELECT key, thread_key, text, priority FROM chatops.outbox ORDER BY created_at")
            return await rows.fetchall()

    async def alerts(self) -> dict[str, Alert]:
        async with self.database.read() as conn:
            known = await alerts.list_alerts(conn, now=datetime.now(UTC), again_within=timedelta(hours=1))
        return {alert.fingerprint: alert for alert in known}

    async def decisions(self, fingerprint: str) -> Sequence[AlertDecision]:
        """Return the decisions about this alert, oldest first."""
        async with self.database.read() as conn:
            return (await alerts.list_alert_decisions(conn, fingerprint, limit=100))[::-1]

    async def _note(self, conn: Connection, event: AlertEvent) -> None:  # noqa: ARG002 - the signature of on_alert
        self.events.append(event)


@pytest.fixture
async def engine(world: World, database_urls: DatabaseUrls) -> Engine:
    assert world.database is not None
    async with world.database.transaction() as conn:
        epoch = await leases.take_lease(conn, name="leader", owner="me", duration=LEASE)
    assert epoch is not None
    return Engine(world, world.database, database_urls, Fence("me", epoch))


@pytest.fixture
def working(system: System) -> System:
    """One worker of each type sends heartbeats."""
    system.work()
    return system


@pytest.fixture
def incident_store(engine: Engine) -> IncidentStore:
    """The incident store, connected to the evaluator as `bot.wiring` does it."""
    rules = default_rules()
    messages = AlertMessages(rules, channel="c", home=incident_thread_of, owners=owners_of)
    incident_store = IncidentStore(Place("prod", "c", None, ()), write_alert=messages.write)
    on_alert = AlertRouting(incident_store).on_alert
    message_writer = AlertMessageWriter(rules, messages, environment="prod", metrics=Metrics(), on_alert=on_alert)
    engine.watch = Evaluator(engine.world, engine.database, rules, message_writer, wake_ups=WakeUps())
    return incident_store
