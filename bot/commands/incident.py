"""`incident …`: raise the alarm, take it on, ask for more people, end it, and tell what happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.commands._arguments import no_more, read_number
from bot.commands._contract import Answer, Request
from bot.commands._incidents import need_incident, outcome_answer, parse_severity
from bot.commands._needs import need_room
from bot.commands._targets import parse_reason
from bot.commands._verbs import Command, RoomCommand, Verb
from bot.facts.incidents import IncidentRecord, read_incident_record, read_incidents
from bot.views.findings import unavailable_answer
from bot.views.incidents import incidents_answer, timeline_answer
from bot.views.oncall import notice_answer
from bot.views.outage import OUTAGE_ACKNOWLEDGED
from bot.views.postmortem import postmortem_answer
from services.domain.errors import Choice, OperatorError, Unavailable, UsageError
from services.domain.incidents import IncidentSeverity
from services.domain.services import find_services

if TYPE_CHECKING:
    from bot.facts import World
    from bot.incidents.room import Room

SHOWN = 20
GROUP = "Incidents"
ANOTHER = "--new"  # although an incident is open about the same service
OPEN_EXAMPLE = "incident open ingest amounts look wrong"
RESOLVE_EXAMPLE = "incident resolve 7 a bad deploy, rolled back"


async def answer_incidents(request: Request, world: World) -> Answer:
    """The list; with a number, that incident's timeline."""
    if request.words and read_number(request.words[0]) is not None:
        return await answer_timeline(request, world)
    no_more(request.words, 0)
    found = await read_incidents(world, limit=SHOWN)
    if isinstance(found, Unavailable):
        return unavailable_answer("incidents", found)
    return incidents_answer(found, now=datetime.now(UTC))


async def answer_open(request: Request, world: World, room: Room | None) -> Answer:  # noqa: ARG001 - as the others
    another = request.words[:1] == (ANOTHER,)
    severity, services, title = parse_open(request.words[1:] if another else request.words)
    outcome = await need_room(room).open(request, title=title, severity=severity, services=services, another=another)
    return outcome_answer(outcome)


def parse_open(words: tuple[str, ...]) -> tuple[IncidentSeverity, tuple[str, ...], str]:
    """Severity (SEV2 unless the first word says so), the services that the next word names, and what is wrong."""
    severity, rest = IncidentSeverity.SEV2, words
    if rest and rest[0].lower() in tuple(IncidentSeverity):
        severity, rest = parse_severity(rest[0]), rest[1:]
    if not rest:
        raise UsageError("What is wrong?", why="nothing is said", what_next=f"Write `{OPEN_EXAMPLE}`.")
    services = find_services(rest[0]) or ()
    return severity, tuple(service.value for service in services), parse_reason(rest, OPEN_EXAMPLE, called="title")


async def answer_ack(request: Request, world: World, room: Room | None) -> Answer:
    """Without a number also the outage of the database, which no incident tells of and no query can find."""
    if not request.words and room is not None and request.actor is not None and request.incident is None:
        await room.refuse_early(request)
        if await room.acknowledge_outage(request.actor.user_id):
            return notice_answer(OUTAGE_ACKNOWLEDGED)
    number, rest = await need_incident(request, world, "ack", "incident ack 7")
    no_more(rest, 0)
    return outcome_answer(await need_room(room).acknowledge(number, request))


async def answer_escalate(request: Request, world: World, room: Room | None) -> Answer:
    number, rest = await need_incident(request, world, "escalate", "incident escalate 7")
    no_more(rest, 0)
    return outcome_answer(await need_room(room).escalate(number, request))


async def answer_resolve(request: Request, world: World, room: Room | None) -> Answer:
    number, rest = await need_incident(request, world, "resolve", RESOLVE_EXAMPLE)
    cause = parse_reason(rest, RESOLVE_EXAMPLE, called="cause")
    return outcome_answer(await need_room(room).resolve(number, request, cause))


async def answer_severity(request: Request, world: World, room: Room | None) -> Answer:
    number, rest = await need_incident(request, world, "severity", "incident severity 7 sev1")
    if not rest:
        raise _which_severity(number)
    no_more(rest, 1)
    return outcome_answer(await need_room(room).change_severity(number, request, parse_severity(rest[0])))


def _which_severity(number: int) -> UsageError:
    return UsageError(
        "Which severity?",
        why="none is named",
        what_next=f"Press one, or write `incident severity {number} sev1`.",
        choices=[Choice(f"incident severity {number} {one}", one.upper()) for one in IncidentSeverity],
    )


async def answer_timeline(request: Request, world: World) -> Answer:
    record = await _need_record(request, world, "timeline")
    return unavailable_answer("timeline", record) if isinstance(record, Unavailable) else timeline_answer(record)


async def answer_export(request: Request, world: World, room: Room | None) -> Answer:
    record = await _need_record(request, world, "export")
    if isinstance(record, Unavailable):
        return unavailable_answer("postmortem", record)
    people = {event.by.user_id for event in record.events if event.by}
    return postmortem_answer(record, await room.names.look_up(people) if room else {})


async def _need_record(request: Request, world: World, verb: str) -> IncidentRecord | Unavailable:
    number, rest = await need_incident(request, world, verb, f"incident {verb} 7")
    no_more(rest, 0)
    found = await read_incident_record(world, number)
    if found is None:
        why, what_next = "no incident has this number", "`incident` lists them."
        raise OperatorError(f"There is no incident {number}", why=why, what_next=what_next)
    return found


COMMANDS: tuple[Verb, ...] = (
    Command(
        name="incident",
        summary="the newest incidents: who has them, since when, and what they were",
        group=GROUP,
        handle=answer_incidents,
        usage="[id]",
        examples=("incident", "incident 7"),
        private=True,
    ),
    RoomCommand(
        name="incident open",
        keeps_words=True,
        summary="raise the alarm: one message and its thread, and whoever is on call is called",
        group=GROUP,
        handle=answer_open,
        usage="[--new] [sev1|sev2|sev3] [service] <what>",
        examples=(OPEN_EXAMPLE, "incident open sev1 payments stand still", "incident open --new api another trouble"),
        private=True,
    ),
    RoomCommand(
        name="incident ack",
        summary="acknowledge an incident, so that it calls nobody else; also to take over from a colleague",
        group=GROUP,
        handle=answer_ack,
        usage="[id]",
        examples=("incident ack 7",),
        private=True,
    ),
    RoomCommand(
        name="incident escalate",
        summary="call the next level now",
        group=GROUP,
        handle=answer_escalate,
        usage="[id]",
        examples=("incident escalate 7",),
        private=True,
    ),
    RoomCommand(
        name="incident severity",
        summary="how bad it is: sev1 and sev2 call people, sev3 calls nobody",
        group=GROUP,
        handle=answer_severity,
        usage="[id] <sev1|sev2|sev3>",
        examples=("incident severity 7 sev1",),
        private=True,
    ),
    RoomCommand(
        name="incident resolve",
        keeps_words=True,
        summary="end it, with its cause; nobody is sent anything about it any more",
        group=GROUP,
        handle=answer_resolve,
        usage="[id] <cause>",
        examples=(RESOLVE_EXAMPLE,),
        private=True,
    ),
    Command(
        name="incident timeline",
        summary="what happened when: what the bot did, what people did, and messages marked with :pushpin:",
        group=GROUP,
        handle=answer_timeline,
        usage="[id]",
        examples=("incident timeline 7",),
        private=True,
    ),
    RoomCommand(
        name="incident export",
        is_read=True,
        summary="a postmortem to fill in, as Markdown: times, timeline, cause",
        group=GROUP,
        handle=answer_export,
        usage="[id]",
        examples=("incident export 7",),
    ),
)
