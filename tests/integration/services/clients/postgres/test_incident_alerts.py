"""Alerts as parts of incidents: each belongs to the one that it joined last, and ends once."""

from __future__ import annotations

from services.clients.postgres import incident_alerts, incidents
from services.clients.postgres.alerts import open_alert
from services.clients.postgres.pool import Connection
from services.domain.alerts import Alert, AlertState, Severity
from services.domain.services import Service
from tests.integration.services.clients.postgres.test_incidents import BEFORE, NEW

ALERT = Alert(
    fingerprint="heartbeats.ingest",
    rule="heartbeats",
    state=AlertState.PENDING,
    severity=Severity.PAGE,
    service=Service.INGEST,
    title="No ingest",
    detail="",
    since=BEFORE,
    opened_at=BEFORE,
)


async def test_an_alert_belongs_to_the_incident_that_it_joined_last(as_bot: Connection) -> None:
    alert = await open_alert(as_bot, ALERT)
    first, second = await incidents.create_incident(as_bot, NEW), await incidents.create_incident(as_bot, NEW)

    assert await incident_alerts.join_alert(as_bot, alert_id=alert, incident_id=first, line="ingest 0 of 2")
    await incident_alerts.clear_alert(as_bot, alert_id=alert, at=BEFORE, line="ingest 2 of 2")
    assert await incident_alerts.join_alert(as_bot, alert_id=alert, incident_id=second, line="ingest 1 of 2")
    assert not await incident_alerts.join_alert(as_bot, alert_id=alert + 1, incident_id=first, line="no such alert")

    joined = await incident_alerts.read_joined_alert(as_bot, alert)
    assert joined is not None
    assert (joined.incident_id, joined.line, joined.cleared_at) == (second, "ingest 1 of 2", None)
    assert (joined.since, joined.fingerprint) == (BEFORE, "heartbeats.ingest")
    assert await incident_alerts.list_joined_alerts(as_bot, first) == []
    assert await incident_alerts.list_alerts_of_open_incidents(as_bot) == [joined]


async def test_an_alert_changes_its_words_and_ends_once(as_bot: Connection) -> None:
    alert = await open_alert(as_bot, ALERT)
    number = await incidents.create_incident(as_bot, NEW)
    await incident_alerts.join_alert(as_bot, alert_id=alert, incident_id=number, line="0 of 2")

    assert await incident_alerts.change_alert_line(as_bot, alert_id=alert, line="1 of 2") == number
    assert await incident_alerts.change_alert_line(as_bot, alert_id=alert, line="1 of 2") is None
    assert await incident_alerts.clear_alert(as_bot, alert_id=alert, at=BEFORE, line="2 of 2") == number
    assert await incident_alerts.clear_alert(as_bot, alert_id=alert, at=BEFORE, line="2 of 2") is None

    (joined,) = await incident_alerts.list_joined_alerts(as_bot, number)
    assert (joined.line, joined.cleared_at) == ("2 of 2", BEFORE)
