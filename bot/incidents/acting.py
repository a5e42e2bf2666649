"""What people do about an incident, in the transaction that holds it locked: it is refused, or happens and is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.approvals.rights import Refused
from bot.incidents import calling
from bot.incidents.decide import calls_people, next_call
from bot.incidents.switchboard import Switchboard
from bot.views.text import plain
from services.domain.errors import OperatorError
from services.domain.incidents import Incident, IncidentSeverity, IncidentState
from services.domain.oncall import decode_chain
from services.domain.runs import Person
from services.postgres import incidents
from services.postgres.pool import Connection

CAUSE_LIMIT = 500  # characters


@dataclass(frozen=True)
class Done:
    """It happened. `words` say what, for the one who did it."""

    incident: Incident
    words: str


@dataclass(frozen=True)
class Joined:
    """An incident about it was open already: what was reported is in its thread and its timeline."""

    incident: Incident
    title: str


Outcome = Done | Joined | Refused


async def find(conn: Connection, incident_id: int) -> Incident:
    """The incident, locked until the transaction ends. Raises OperatorError when there is none of this number."""
    await incidents.lock_incident(conn, incident_id)
    incident = await incidents.read_incident(conn, incident_id)
    if incident is None:
        raise OperatorError(
            f"There is no incident {incident_id}",
            why="no incident has this number",
            what_next="`incident` lists them.",
        )
    return incident


async def begin(
    board: Switchboard,
    conn: Connection,
    title: str,
    severity: IncidentSeverity,
    services: Sequence[str],
    person: Person | None,
) -> Done:
    """A new incident that somebody opened by hand, and its first call."""
    incident = await board.open(
        conn, title=title, severity=severity, services=services, opened_by=person, how=f"opened it: {title}"
    )
    incident = await calling.call_next(board, conn, incident, "somebody opened it")
    return Done(incident, f"Incident {incident.id} is open.")


async def join(board: Switchboard, conn: Connection, incident: Incident, person: Person | None, title: str) -> Joined:
    """Add a report to the incident that is open about it, in the words of whoever reports."""
    reported = plain(title, limit=CAUSE_LIMIT)
    await board.record(conn, incident, "reported", f"reports: {reported}", by=person)
    return Joined(incident, reported)


async def acknowledge(
    board: Switchboard, conn: Connection, incident: Incident, person: Person, *, words: str = ""
) -> Outcome:
    """The person has it now, and the calls stop. Whoever had it before is told. `words`: how they did it, when not by
    saying so."""
    if incident.state is IncidentState.RESOLVED:
        return over(incident)
    before = incident.acknowledged_by
    due_in = decode_chain(incident.chain).remind_after
    await incidents.acknowledge_incident(conn, incident_id=incident.id, person=person, due_in=due_in)
    incident = await _reread(conn, incident)
    await calling.hush(conn, incident)
    if before == person:
        await board.record(conn, incident, "active", "is still on it", by=person)
        return Done(await board.tell_everywhere(conn, incident.id), "You have it still; the reminder starts anew.")
    words = words or ("took over" if before else "acknowledged it, nobody else is called")
    # The root message says who has it; only whoever had it before has to notice.
    await board.record(conn, incident, "acknowledged", words, by=person, in_thread=before is not None)
    return Done(await board.tell_everywhere(conn, incident.id), "You have it; nobody else is called.")


async def escalate(board: Switchboard, conn: Connection, incident: Incident, person: Person | None) -> Outcome:
    """The next level is called now, whoever has it: more people are needed."""
    if incident.state is IncidentState.RESOLVED:
        return over(incident)
    if incident.state is IncidentState.ACKNOWLEDGED:
        await incidents.unacknowledge_incident(conn, incident_id=incident.id)
        await calling.tell_directly(conn, await board.tell_everywhere(conn, incident.id))
    await incidents.note_activity(conn, incident_id=incident.id, due_in=decode_chain(incident.chain).remind_after)
    await board.record(conn, incident, "escalated", "asked for the next level", by=person)
    incident = await _reread(conn, incident)
    call = next_call(incident, decode_chain(incident.chain))
    if call is None:
        return Refused("there is nobody to call: neither an on-call file nor an approver", "Call somebody by hand.")
    incident = await calling.call(board, conn, incident, call, "somebody asked for more people")
    return Done(incident, f"Level {call.index + 1} ({call.level.name}) is called.")


async def resolve(board: Switchboard, conn: Connection, incident: Incident, person: Person, cause: str) -> Outcome:
    """It is over. Once this has committed nobody is sent anything about it."""
    cause = plain(cause, limit=CAUSE_LIMIT)
    if not await incidents.resolve_incident(conn, incident_id=incident.id, person=person, cause=cause):
        return over(incident)
    incident = await _reread(conn, incident)
    await calling.hush(conn, incident)
    # The root message says so, and why.
    await board.record(conn, incident, "resolved", f"resolved it: {cause}", by=person, in_thread=False)
    return Done(await board.tell_everywhere(conn, incident.id), f"Incident {incident.id} is resolved.")


async def change_severity(
    board: Switchboard, conn: Connection, incident: Incident, person: Person, severity: IncidentSeverity
) -> Outcome:
    """It is worse, or less bad, than it seemed: people are called from now on, or no longer."""
    if not await incidents.change_severity(conn, incident_id=incident.id, severity=severity):
        return over(incident) if incident.state is IncidentState.RESOLVED else Done(incident, "It is so already.")
    called_before, incident = calls_people(incident), await _reread(conn, incident)
    before = "it calls people" if calls_people(incident) else "it calls nobody"
    await board.record(conn, incident, "severity", f"made it {severity.upper()}: {before}", by=person)
    if incident.state is not IncidentState.OPEN or called_before == calls_people(incident):
        return Done(await board.tell(conn, incident.id), f"It is {severity.upper()} now.")
    if calls_people(incident):
        incident = await calling.call_next(board, conn, incident, "it is worse than it seemed")
        return Done(incident, "People are called now.")
    await calling.hush(conn, incident)
    return Done(await board.tell(conn, incident.id), "Nobody is called any more.")


def over(incident: Incident) -> Refused:
    """Nothing leaves `resolved`: whoever comes later reads who ended it."""
    who = f" by <@{incident.resolved_by.user_id}>" if incident.resolved_by else ""
    return Refused(f"incident {incident.id} is resolved{who}", "`incident open <what>` opens a new one.")


async def _reread(conn: Connection, incident: Incident) -> Incident:
    found = await incidents.read_incident(conn, incident.id)
    assert found is not None  # noqa: S101 - it is locked
    return found
