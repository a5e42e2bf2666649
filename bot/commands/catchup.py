"""`catchup`: an incident's summary for a person who joins late: events, work in progress, owner, open points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bot.commands.context import IncidentVerb
from bot.commands.incident import need_incident_record
from bot.types import Answer, Request
from bot.views.blocks import actions, command_button, fit_message, section
from bot.views.findings import unavailable_answer
from bot.views.incident import headline
from bot.views.incidents import event_line, incident_data
from bot.views.text import date_token, escape, person
from playbooks.model import Status
from services.clients.postgres.runs import list_open_runs
from services.domain.errors import Unavailable
from services.domain.incidents import IncidentRecord, IncidentState
from services.domain.runs import Run
from services.domain.text import counted

if TYPE_CHECKING:
    from bot.world import World


SHOWN_EVENTS = 6
_OPENING = frozenset({"opened", "began"})


async def answer_catchup(request: Request, world: World) -> Answer:
    """Show the summary to the requester only."""
    record = await need_incident_record(request, world, IncidentVerb.CATCHUP)
    if isinstance(record, Unavailable):
        return unavailable_answer("incident", record)
    runs = await world.read(list_open_runs)
    return catchup_answer(record, runs)


def catchup_answer(record: IncidentRecord, runs: Sequence[Run] | Unavailable) -> Answer:
    """The answer in four parts; each is shown, also when it is empty."""
    incident = record.incident
    parts = {
        "What happened": _happened(record),
        "What is being done": _doing(record, runs),
        "Who is assigned": _owner(record),
        "What is open": _open(record),
    }
    first = f"{headline(incident, record.alerts)} · incident {incident.id}"
    lines = {name: list(found) for name, found in parts.items()}
    blocks = [section(first), *(section("\n".join([f"*{name}*", *found])) for name, found in lines.items())]
    buttons = [
        command_button("Timeline", f"incident timeline {incident.id}"),
        command_button("Ask…", "ask"),
    ]
    text = "\n".join([first, *(line for found in lines.values() for line in found)])
    status = Status.OK if incident.state is IncidentState.RESOLVED else Status.FAIL
    data = incident_data(incident) | {"open_alerts": [one.fingerprint for one in record.alerts if not one.cleared_at]}
    return Answer(*fit_message(text, [*blocks, *actions(buttons)]), data, status, private=True)


def _happened(record: IncidentRecord) -> Iterator[str]:
    incident = record.incident
    who = f" by {person(incident.opened_by)}" if incident.opened_by else " by an alert"
    yield f"Since {date_token(incident.since)}; opened {date_token(incident.opened_at)}{who}."
    if incident.diagnosis:
        yield f"Most likely cause: {escape(incident.diagnosis, limit=300)}"
    later = [event for event in record.events if event.kind not in _OPENING]
    if len(later) > SHOWN_EVENTS:
        yield f"… {counted(len(later) - SHOWN_EVENTS, 'earlier entry')} in the timeline"
    yield from map(event_line, later[-SHOWN_EVENTS:])


def _doing(record: IncidentRecord, runs: Sequence[Run] | Unavailable) -> Iterator[str]:
    if isinstance(runs, Unavailable):
        yield f"❔ Runs are unknown: {escape(runs.why, limit=200)}"
        return
    own = [run for run in runs if record.incident.covers(run.services)]
    for run in own:
        yield f"Run {run.id} ({run.state.value.replace('_', ' ')}): {escape(run.title, limit=200)}"
    if not own:
        yield "No run is waiting or running."


def _owner(record: IncidentRecord) -> Iterator[str]:
    incident = record.incident
    match incident.state:
        case IncidentState.RESOLVED:
            yield f"Resolved by {person(incident.resolved_by)} {_at(incident.resolved_at)}."
        case IncidentState.ACKNOWLEDGED:
            yield f"{person(incident.acknowledged_by)}, since {_at(incident.acknowledged_at)}."
        case IncidentState.OPEN:
            yield f"No one yet. People were paged {counted(len(record.pages), 'time')}."


def _at(moment: datetime | None) -> str:
    return date_token(moment) if moment else "at an unknown time"


def _open(record: IncidentRecord) -> Iterator[str]:
    incident = record.incident
    if incident.state is IncidentState.RESOLVED:
        yield f"Nothing: {escape(incident.cause or 'no cause was recorded', limit=300)}"
        return
    firing = [alert for alert in record.alerts if alert.cleared_at is None]
    for alert in firing:
        yield f"🔴 {escape(alert.fingerprint, limit=100)} since {date_token(alert.since)}"
    if not firing and record.alerts:
        yield f"No alert is firing; the last ended {_at(incident.cleared_at)}. The incident is not resolved yet."
    if not record.alerts:
        yield "No alert belongs to it: it ends when a person resolves it."
    if not incident.diagnosis:
        yield "❔ The cause is unknown."
