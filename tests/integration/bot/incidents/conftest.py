"""Incidents over a real database and the local Slack: actions of people, alerts, and the leader's periodic tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from bot.delivery.outbox import Sender
from bot.incidents.escalation import Escalation
from bot.incidents.from_alerts import AlertRouting
from bot.incidents.service import IncidentService
from bot.incidents.store import IncidentStore, Place
from bot.leader import Fence
from bot.slack_directory import Groups, SlackNames
from bot.types import Actor, Request, Surface
from bot.wake_ups import WakeUps
from bot.web.metrics import Metrics
from services.clients.postgres import alerts, incidents, leases, timeline
from services.clients.postgres.leases import LEADER
from services.clients.postgres.pool import Database
from services.clients.slack import Pace, SlackClient
from services.domain.alerts import Alert, AlertChange, AlertEvent, AlertState, Severity
from services.domain.channels import Channel
from services.domain.incidents import Incident, IncidentEvent
from services.domain.oncall import Level, OnCallPerson, Schedule
from services.domain.secrets import Secret
from services.domain.services import Service
from services.sandbox.slack import model
from services.sandbox.slack.workspace import Workspace
from tests.conftest import DatabaseUrls
from tests.integration.bot.approvals.conftest import workspace
from tests.serving import no_proxy

__all__ = ["no_proxy", "workspace"]  # the local Slack of the approval service's tests

TEAM = model.TEAM.id
OLIVIA, ANN, BEN, OTTO = (Actor(user.id, TEAM) for user in model.PEOPLE)
LONG, SHORT = timedelta(hours=1), timedelta(milliseconds=40)
RESPONDERS = (model.OPERATORS.id, model.APPROVERS.id)
LINE = "PAGE dev · ingest is down (0 of 2), last 6 min ago"


def request(actor: Actor | None) -> Request:
    """A request typed in Slack by `actor`; with None, typed on the terminal."""
    return Request((), Surface.SLASH if actor else Surface.TERMINAL, actor, model.INCIDENTS_ID)


def schedule(wait: timedelta = LONG, *, silence: timedelta = LONG) -> Schedule:
    """Ann first, by every channel; then Ben. `wait`: of each level. `silence`: until the reminder, and again until the
    acknowledgement is taken back."""
    people = {
        "ann": OnCallPerson("ann", model.ANN.id, webhook="ann", email="ann"),
        "ben": OnCallPerson("ben", model.BEN.id, webhook="ben"),
    }
    levels = tuple(Level((name,), frozenset(Channel), wait) for name in people)
    return Schedule(people, {}, levels, remind_after=silence, unacknowledge_after=silence)


@dataclass
class Books:
    """Reads the bot's tables as the bot's role."""

    conn: psycopg.AsyncConnection[Any]

    async def incident(self, number: int = 1) -> Incident:
        found = await incidents.read_incident(self.conn, number)
        assert found is not None
        return found

    async def messages(self) -> dict[str, str]:
        """Return `{key: text}` of the outbox."""
        rows = await (await self.conn.execute("SELECT key, text FROM chatops.outbox ORDER BY created_at")).fetchall()
        return dict(rows)

    async def thread(self, beginning: str) -> list[str]:
        """Return the outbox texts that begin so, oldest first."""
        return [text for text in (await self.messages()).values() if text.startswith(beginning)]

    async def blocks(self, key: str) -> str:
        """Return a message's blocks, as JSON."""
        cur = await self.conn.execute("SELECT blocks::text FROM chatops.outbox WHERE key = %s", [key])
        row = await cur.fetchone()
        assert row is not None
        return str(row[0])

    async def unsent(self) -> set[str]:
        cur = await self.conn.execute("SELECT key FROM chatops.outbox WHERE sent_version = 0")
        return {key for (key,) in await cur.fetchall()}

    async def notifications(self, state: str = "waiting") -> set[str]:
        cur = await self.conn.execute("SELECT key FROM chatops.notifications WHERE state::text = %s", [state])
        return {key for (key,) in await cur.fetchall()}

    async def events(self, number: int = 1) -> list[IncidentEvent]:
        return await timeline.list_events(self.conn, number, limit=1000)

    async def kinds(self, number: int = 1) -> list[str]:
        return [event.kind for event in await self.events(number)]

    async def audit(self) -> list[str]:
        rows = await (await self.conn.execute("SELECT event FROM chatops.audit ORDER BY seq")).fetchall()
        return [event for (event,) in rows]

    async def make_due(self, number: int = 1) -> None:
        await self.conn.execute("UPDATE chatops.incidents SET due_at = clock_timestamp() WHERE id = %s", [number])


@pytest.fixture
def books(as_bot: psycopg.AsyncConnection[Any]) -> Books:
    return Books(as_bot)


@dataclass
class Scene:
    """One replica, which is the leader."""

    database: Database
    incident_store: IncidentStore
    incident_service: IncidentService
    fence: Fence
    wake_ups: WakeUps
    escalation: Escalation
    alerting: AlertRouting
    sender: Sender

    def schedule(self) -> Schedule | None:
        """The one in force."""
        return self.incident_store.place.schedule

    def reschedule(self, schedule: Schedule | None, approvers: tuple[str, ...] = ()) -> None:
        """Change the on-call file, for incidents opened from now on."""
        self.incident_store.place = replace(self.incident_store.place, schedule=schedule, approvers=approvers)

    async def alert(self, change: AlertChange, alert_id: int | None = None, **changes: Any) -> int:
        """Store a change of an alert and what incidents make of it, in one transaction; return the alert's id."""
        now = datetime.now(UTC)
        event = AlertEvent(
            0,
            "heartbeats.ingest",
            change,
            Severity.PAGE,
            Service.INGEST,
            "ingest is down (0 of 2)",
            LINE,
            now,
            "alert:1",
        )
        event = replace(event, **changes)
        async with self.database.transaction() as conn:
            if alert_id is None:
                alert_id = await alerts.open_alert(conn, _row(event))
            elif change is AlertChange.RESOLVED:
                over = replace(_row(event), id=alert_id, state=AlertState.RESOLVED, resolved_at=now)
                await alerts.store_alert(conn, over)
            await self.alerting.on_alert(conn, replace(event, alert_id=alert_id))
        return alert_id


def _row(event: AlertEvent) -> Alert:
    since = event.at - timedelta(minutes=6)
    return Alert(
        fingerprint=event.fingerprint,
        rule=event.fingerprint.split(".")[0],
        state=AlertState.PENDING,
        severity=event.severity,
        service=event.service,
        title=event.title,
        detail="",
        since=since,
        opened_at=since,
    )


@pytest.fixture
async def slack(workspace: Workspace) -> AsyncIterator[SlackClient]:
    """A client like the leader's, but without the second between two posts."""
    url = f"{workspace.base_url}/slack/api/"
    client = SlackClient(Secret("xoxb-local"), api_url=url, patience=0, pace=Pace(every_s=0))
    yield client
    await client.aclose()


@pytest.fixture
def names(slack: SlackClient) -> SlackNames:
    """The cache of Slack names; it asks Slack only when a test makes it."""
    return SlackNames(slack, ())


@pytest.fixture
async def scene(database_urls: DatabaseUrls, slack: SlackClient, names: SlackNames) -> AsyncIterator[Scene]:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", max_size=10, timeout_s=60.0)
    async with database.transaction() as conn:
        epoch = await leases.take_lease(conn, name=LEADER, owner="test", duration=LONG)
    assert epoch is not None
    groups = Groups(slack, RESPONDERS, workspace=lambda: TEAM, timeout_s=30.0)
    wake_ups = WakeUps(poll_s=0.05)
    sender = Sender(database, slack, wake_ups=wake_ups, metrics=Metrics())
    incident_store = IncidentStore(Place("dev", model.INCIDENTS_ID, schedule(), ()), wake_ups, name_of=names.of)
    yield Scene(
        database=database,
        incident_store=incident_store,
        incident_service=IncidentService(database, incident_store, groups, names, RESPONDERS),
        fence=Fence("test", epoch),
        wake_ups=wake_ups,
        escalation=Escalation(database, incident_store),
        alerting=AlertRouting(incident_store),
        sender=sender,
    )
    await groups.aclose()
    await database.close()
