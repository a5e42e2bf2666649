"""The acts of people on an incident, each in the caller's transaction, with its timeline, messages and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.approvals.access import Refused
from bot.incidents import paging
from bot.incidents.decide import next_page, pages_people
from bot.incidents.store import IncidentStore, diagnosis_key
from bot.views.text import mention, plain
from services.clients.postgres import incident_alerts, incidents, messages
from services.clients.postgres.pool import Connection
from services.domain.errors import UsageError
from services.domain.escalation_chain import decode_chain
from services.domain.incidents import Incident, IncidentSeverity, IncidentState, JoinedAlert
from services.domain.people import Person

CAUSE_LIMIT = 500  # characters


@dataclass(frozen=True)
class Done:
    """The outcome of an act that happened. `words` report it to the person who did it."""

    incident: Incident
    words: str


@dataclass(frozen=True)
class Joined:
    """The outcome of a report about an incident that is open already: the report is in its thread and its timeline.

    `is_repeated`: it was added to a line that the reporter had.
    """

    incident: Incident
    title: str
    alerts: Sequence[JoinedAlert] = ()
    is_repeated: bool = False


Outcome = Done | Joined | Refused


async def find(conn: Connection, incident_id: int) -> Incident:
    """Return the incident, locked until the transaction ends. Raises UsageError if none has this number."""
    await incidents.lock_incident(conn, incident_id)
    incident = await incidents.read_incident(conn, incident_id)
    if incident is None:
        raise UsageError(
            f"There is no incident {incident_id}",
            why="no incident has this number",
            what_next="`incident` lists them.",
        )
    return incident


async def begin(
    incident_store: IncidentStore,
    conn: Connection,
    title: str,
    severity: IncidentSeverity,
    services: Sequence[str],
    person: Person | None,
) -> Done:
    """Open an incident by hand, and page its first level."""
    incident = await incident_store.open(
        conn, title=title, severity=severity, services=services, opened_by=person, how=f"opened it: {title}"
    )
    incident = await paging.page_next(incident_store, conn, incident, "opened by hand")
    return Done(incident, f"Incident {incident.id} is open.")


async def join(
    incident_store: IncidentStore, conn: Connection, incident: Incident, person: Person | None, title: str
) -> Joined:
    """Add a report to the open incident that it is about, in the reporter's words."""
    reported = plain(title, limit=CAUSE_LIMIT)
    is_repeated = await incident_store.record(conn, incident, "reported", f"reports: {reported}", by=person)
    alerts = await incident_alerts.list_joined_alerts(conn, incident.id)
    return Joined(incident, reported, alerts, is_repeated=is_repeated)


async def acknowledge(
    incident_store: IncidentStore, conn: Connection, incident: Incident, person: Person, *, words: str = ""
) -> Outcome:
    """Assign the incident to the person and stop paging; a former owner is notified.

    `words`: for the timeline, if they did it otherwise than by *Acknowledge*, as by the link of a page.
    """
    if incident.state is IncidentState.RESOLVED:
        return over(incident)
    before = incident.acknowledged_by
    due_in = decode_chain(incident.chain).remind_after
    await incidents.acknowledge_incident(conn, incident_id=incident.id, person=person, due_in=due_in)
    incident = await _reread(conn, incident)
    await paging.cancel_pages(conn, incident)
    if before == person:
        await incident_store.record(conn, incident, "active", "is still working on it", by=person)
        return Done(
            await incident_store.notify_everywhere(conn, incident.id),
            "You're still assigned; the reminder timer was reset.",
        )
    words = words or ("took over" if before else "acknowledged it; no one else is paged")
    # The root message shows its owner; only the former owner has to notice.
    await incident_store.record(conn, incident, "acknowledged", words, by=person, in_thread=before is not None)
    return Done(
        await incident_store.notify_everywhere(conn, incident.id), "You're assigned. No one else will be paged."
    )


async def escalate(
    incident_store: IncidentStore, conn: Connection, incident: Incident, person: Person | None
) -> Outcome:
    """Page the next level now, also if the incident is acknowledged: more people are needed."""
    if incident.state is IncidentState.RESOLVED:
        return over(incident)
    if incident.state is IncidentState.ACKNOWLEDGED:
        await incidents.unacknowledge_incident(conn, incident_id=incident.id)
        await paging.notify_directly(conn, await incident_store.notify_everywhere(conn, incident.id))
    await incidents.note_activity(conn, incident_id=incident.id, due_in=decode_chain(incident.chain).remind_after)
    await incident_store.record(conn, incident, "escalated", "escalated to the next level", by=person)
    incident = await _reread(conn, incident)
    level = next_page(incident, decode_chain(incident.chain))
    if level is None:
        return Refused("there is no one to page: no on-call file and no approver", "Contact someone directly.")
    incident = await paging.page_level(incident_store, conn, incident, level, "escalated by hand")
    return Done(incident, f"Level {level.index + 1} ({level.level.name}) is paged.")


async def resolve(
    incident_store: IncidentStore, conn: Connection, incident: Incident, person: Person, cause: str
) -> Outcome:
    """Resolve the incident. Once this has committed, nothing more is sent about it."""
    cause = plain(cause, limit=CAUSE_LIMIT)
    if not await incidents.resolve_incident(conn, incident_id=incident.id, person=person, cause=cause):
        return over(incident)
    incident = await _reread(conn, incident)
    await paging.cancel_pages(conn, incident)
    # The root message shows it, with the cause.
    await incident_store.record(conn, incident, "resolved", f"resolved it: {cause}", by=person, in_thread=False)
    await messages.remove_buttons(conn, key=diagnosis_key(incident))
    return Done(await incident_store.notify_everywhere(conn, incident.id), f"Incident {incident.id} is resolved.")


async def change_severity(
    incident_store: IncidentStore, conn: Connection, incident: Incident, person: Person, severity: IncidentSeverity
) -> Outcome:
    """Change the severity; people are paged from now on, or no longer, as the new one requires."""
    if not await incidents.change_severity(conn, incident_id=incident.id, severity=severity):
        return (
            over(incident)
            if incident.state is IncidentState.RESOLVED
            else Done(incident, "It already has this severity.")
        )
    before, paged_before, incident = incident.severity, pages_people(incident), await _reread(conn, incident)
    effect = "it pages people" if pages_people(incident) else "it pages no one"
    await incident_store.record(  # `changed_severity` parses this line
        conn,
        incident,
        "severity",
        f"made it {severity.upper()} (it was {before.upper()}): {effect}",
        by=person,
    )
    if incident.state is not IncidentState.OPEN or paged_before == pages_people(incident):
        return Done(await incident_store.update_message(conn, incident.id), f"It is {severity.upper()} now.")
    if pages_people(incident):
        incident = await paging.page_next(incident_store, conn, incident, "its severity was raised")
        return Done(incident, "People are being paged now.")
    await paging.cancel_pages(conn, incident)
    return Done(await incident_store.update_message(conn, incident.id), "No one is paged any more.")


def over(incident: Incident) -> Refused:
    """Refuse an act on a resolved incident, and name the person who resolved it."""
    who = f" by {mention(incident.resolved_by.user_id)}" if incident.resolved_by else ""
    return Refused(f"incident {incident.id} is resolved{who}", "`incident open <what>` opens a new one.")


async def _reread(conn: Connection, incident: Incident) -> Incident:
    found = await incidents.read_incident(conn, incident.id)
    assert found is not None  # noqa: S101 - it is locked
    return found
