"""Routes alerts to incidents: an alert opens or joins one, changes its text, and stops its pages when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.alerts.messages import IncidentThread
from bot.incidents import paging
from bot.incidents.decide import find_joined
from bot.incidents.store import IncidentStore, diagnosis_key
from bot.views.alerts import over_words
from bot.views.incident_buttons import is_calm
from services.clients.postgres import alerts, incident_alerts, incidents, messages
from services.clients.postgres.pool import Connection
from services.clients.postgres.similar import note_first_alert
from services.domain.alerts import RULE as DRILL
from services.domain.alerts import Alert, AlertChange, AlertEvent, Severity, is_drill, is_same_outage
from services.domain.escalation_chain import decode_chain
from services.domain.incidents import Incident, IncidentSeverity, IncidentState, JoinedAlert
from services.domain.people import Person


class AlertRouting:
    """Routes alerts to incidents. The evaluator calls `on_alert` in the transaction that stores the alert's state."""

    def __init__(self, incident_store: IncidentStore) -> None:
        self._incident_store = incident_store

    async def on_alert(self, conn: Connection, event: AlertEvent) -> None:
        """Open or join an incident for severity `page`; update thread and root message of one that has the alert."""
        if event.change is AlertChange.RESOLVED:
            await self._over(conn, event)
            return
        joined = await incident_alerts.read_joined_alert(conn, event.alert_id)
        if event.change is AlertChange.CHANGED and joined is not None and await _is_new_trouble(conn, event, joined):
            await self._fired(conn, event, since=event.at)
        elif event.change is AlertChange.CHANGED and joined is not None:
            await self._changed(conn, event)
            if event.silenced:
                await self._quieted(conn, event, joined.incident_id)
        elif event.severity is Severity.PAGE:
            await self._fired(conn, event)

    async def _fired(self, conn: Connection, event: AlertEvent, since: datetime | None = None) -> None:
        """Join or open an incident. `since`: when the problem began, if the alert itself began earlier."""
        incident = await self._find(conn, event)
        if incident is None:
            await self._open(conn, event, since)
            return
        known = await incident_alerts.list_joined_alerts(conn, incident.id)
        await _join(conn, event, incident)
        was_over = await incidents.set_cleared(conn, incident_id=incident.id, cleared_at=None)
        words = f"{'firing again' if was_over else 'also firing'}: {event.title}"
        # The root message shows it, which paged people read; an owner has to notice a new problem.
        firing = [alert.fingerprint for alert in known if alert.cleared_at is None]
        is_same = is_same_outage(event.fingerprint, firing)
        is_new = incident.state is IncidentState.ACKNOWLEDGED and not is_same
        # An alert that came back before may be the other half of an outage that the thread shows.
        returned = event.again and (not is_same or any(one.fingerprint == event.fingerprint for one in known))
        is_news = was_over or returned or is_new
        await self._incident_store.record(conn, incident, "joined", words, in_thread=is_news)
        incident = await self._incident_store.update_message(conn, incident.id)
        if event.again and (was_over or incident.due_at is None):  # paged people are not paged again at once
            await incidents.set_due(conn, incident_id=incident.id, due_in=_first_wait(incident))
        elif was_over and incident.state is IncidentState.OPEN:
            await paging.page_next(self._incident_store, conn, incident, "firing again")

    async def _open(self, conn: Connection, event: AlertEvent, since: datetime | None) -> None:
        alert = await alerts.read_alert(conn, event.alert_id)
        incident = await self._incident_store.open(
            conn,
            title=event.title,
            severity=_severity(event),
            services=_services(event),
            opened_by=None,
            how=f"opened by an alert: {event.title}",
            since=since or (alert.since if alert else None),
        )
        await _join(conn, event, incident)
        await note_first_alert(
            conn,
            incident_id=incident.id,
            fingerprint=event.fingerprint,
            deployed_at=event.deployed_at,
            cause=event.cause,
        )
        await paging.page_next(self._incident_store, conn, incident, "an alert opened it")

    async def _changed(self, conn: Connection, event: AlertEvent) -> None:
        number = await incident_alerts.change_alert_line(conn, alert_id=event.alert_id, line=event.line)
        incident = await _lock(conn, number) if number is not None else None
        if incident is None:
            return
        await self._incident_store.update_message(conn, incident.id)
        if is_calm(await incident_alerts.list_joined_alerts(conn, incident.id)):
            await messages.remove_buttons(conn, key=diagnosis_key(incident))  # their alert is fine now

    async def _quieted(self, conn: Connection, event: AlertEvent, incident_id: int) -> None:
        """Stop paging once the last firing alert is silenced, until the silence has ended."""
        incident = await _lock(conn, incident_id)
        if incident is None or incident.state is not IncidentState.OPEN or incident.due_at is None:
            return
        joined = await incident_alerts.list_joined_alerts(conn, incident_id)
        if all(one.cleared_at is not None or one.alert_id == event.alert_id for one in joined):
            await self._incident_store.record(
                conn, incident, "silenced", f"no one is paged: {event.fingerprint} is silenced"
            )
            await incidents.set_due(conn, incident_id=incident_id, due_in=None)
            await paging.cancel_pages(conn, incident)

    async def _over(self, conn: Connection, event: AlertEvent) -> None:
        """Note the end of an alert; with the last one paging stops, and a person has to resolve the incident."""
        number = await incident_alerts.clear_alert(conn, alert_id=event.alert_id, at=event.at, line=event.line)
        incident = await _lock(conn, number) if number is not None else None
        if incident is None:
            return
        joined = await incident_alerts.list_joined_alerts(conn, incident.id)
        is_last = all(alert.cleared_at is not None for alert in joined)
        words = over_words(event.line)
        # Before the last one ends, the root message shows which ones fire, and people have nothing to do.
        await self._incident_store.record(conn, incident, "cleared", words, in_thread=is_last)
        if is_last:
            await messages.remove_buttons(conn, key=diagnosis_key(incident))  # their alert is over
            await incidents.set_cleared(conn, incident_id=incident.id, cleared_at=event.at)
            due_in = decode_chain(incident.chain).remind_after
            await incidents.set_due(conn, incident_id=incident.id, due_in=due_in)
            if incident.state is IncidentState.OPEN:
                await paging.cancel_pages(conn, incident)
        await paging.notify_directly(conn, await self._incident_store.update_message(conn, incident.id))

    async def _find(self, conn: Connection, event: AlertEvent) -> Incident | None:
        """Return the incident to join, locked; None if there is none."""
        found = find_joined(
            event,
            await incidents.list_open_incidents(conn),
            await incident_alerts.list_alerts_of_open_incidents(conn),
        )
        return await _lock(conn, found.id) if found else None


async def incident_thread_of(conn: Connection, shown: Sequence[Alert]) -> IncidentThread | None:
    """Return the incident in whose thread these alerts are posted together.

    None if one of them belongs to no incident: then they are posted in the channel.
    """
    joined = [await incident_alerts.read_joined_alert(conn, alert.id) for alert in shown if alert.id is not None]
    numbers = [one.incident_id for one in joined if one is not None]
    if not numbers or len(numbers) < len(shown):
        return None
    return IncidentThread(numbers[0], f"incident:{numbers[0]}")


async def owners_of(conn: Connection, shown: Sequence[Alert]) -> dict[int, Person]:
    """Return `{alert id: owner}`: the people who acknowledged the incidents of these alerts."""
    owners: dict[int, Person] = {}
    for alert_id in [alert.id for alert in shown if alert.id is not None]:
        joined = await incident_alerts.read_joined_alert(conn, alert_id)
        incident = await incidents.read_incident(conn, joined.incident_id) if joined else None
        if incident and incident.state is IncidentState.ACKNOWLEDGED and incident.acknowledged_by:
            owners[alert_id] = incident.acknowledged_by
    return owners


async def _is_new_trouble(conn: Connection, event: AlertEvent, joined: JoinedAlert) -> bool:
    """True if an alert that was fine and only watched is back, and its incident is resolved: no one would notice."""
    is_back = is_calm([joined]) and not is_calm([replace(joined, line=event.line)])
    if not is_back or event.silenced or event.severity is not Severity.PAGE:
        return False
    incident = await incidents.read_incident(conn, joined.incident_id)
    return incident is not None and incident.state is IncidentState.RESOLVED


async def _join(conn: Connection, event: AlertEvent, incident: Incident) -> None:
    await incident_alerts.join_alert(
        conn,
        alert_id=event.alert_id,
        incident_id=incident.id,
        line=event.line,
        message_key=event.message_key,
    )


async def _lock(conn: Connection, incident_id: int) -> Incident | None:
    """Return the incident, locked; None if it is resolved."""
    await incidents.lock_incident(conn, incident_id)
    incident = await incidents.read_incident(conn, incident_id)
    return incident if incident and incident.state is not IncidentState.RESOLVED else None


def _first_wait(incident: Incident) -> timedelta | None:
    level = decode_chain(incident.chain).level(0)
    return level.wait if level and incident.state is IncidentState.OPEN else None


def _services(event: AlertEvent) -> list[str]:
    """Return the services of the incident. A drill gets a made-up one: an incident that names none is about all."""
    if is_drill(event.fingerprint):
        return [DRILL]
    return [event.service.value] if event.service else []


def _severity(event: AlertEvent) -> IncidentSeverity:
    """SEV1 without the API or the database, because nothing works then; SEV2 without a worker, because work waits."""
    if is_drill(event.fingerprint):
        return IncidentSeverity.SEV2
    is_vital = event.service is None or event.service.is_api
    return IncidentSeverity.SEV1 if is_vital else IncidentSeverity.SEV2
