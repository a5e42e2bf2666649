"""`incident …`: opens, acknowledges, escalates and resolves incidents, and shows lists, timelines and postmortems."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.assistant.draft import ProseSentences
from bot.commands.arguments import no_more, parse_reason, read_number
from bot.commands.context import (
    IncidentVerb,
    incident_outcome_answer,
    need_incident,
    need_incident_service,
    parse_severity,
)
from bot.types import Answer, Attachment, Request
from bot.views.blocks import action_button, actions, command_button, fit_message, preformatted, section
from bot.views.findings import unavailable_answer
from bot.views.incidents import event_words, incident_data, incidents_answer, timeline_answer
from bot.views.modals import DRAFT as DRAFT_ACTION
from bot.views.notes import notice_answer
from bot.views.outage import OUTAGE_ACKNOWLEDGED
from bot.views.similar import similar_answer
from bot.views.text import escape, plain, utc
from services.clients.postgres.incident_alerts import list_alerts_of_open_incidents
from services.clients.postgres.incidents import list_incidents, read_incident, read_incident_record
from services.clients.postgres.pool import Connection
from services.clients.postgres.similar import list_similar_incidents
from services.domain.errors import Choice, Unavailable, UsageError
from services.domain.incidents import (
    BEGAN,
    SEEN_WITHIN,
    SIMILAR_LIMIT,
    Incident,
    IncidentEvent,
    IncidentRecord,
    IncidentSeverity,
    JoinedAlert,
    PageSent,
)
from services.domain.services import find_service
from services.domain.systems import System
from services.domain.text import age, counted
from services.domain.todos import Todo

if TYPE_CHECKING:
    from bot.incidents.service import IncidentService
    from bot.world import World


LINE_LIMIT = 1000
_MARKUP = re.compile(r"([\\`*_\[\]<>|#])")


def postmortem_answer(record: IncidentRecord, names: Mapping[str, str], *, draft: str = "") -> Answer:
    """The postmortem as a file. `names`: `{Slack id: name}`. `draft`: the text for "What happened", as the person who
    exports it edited it."""
    incident = record.incident
    name = f"incident-{incident.id}.md"
    first = f"📄 Postmortem of incident {incident.id}: {escape(incident.title, limit=300)}"
    attachment = Attachment(name, postmortem(record, names, draft=draft))
    data = incident_data(incident) | {"markdown": attachment.text}
    return Answer(*fit_message(first, [section(first)]), data, file=attachment)


def postmortem(record: IncidentRecord, names: Mapping[str, str], *, draft: str = "") -> str:
    """The postmortem in Markdown. Untrusted text is escaped: it can't add markup, links or lines."""
    incident = record.incident
    return "\n".join(
        [
            f"# Incident {incident.id}: {_words(incident.title)}",
            "",
            *_table(record),
            "",
            "## What happened",
            "",
            _words(incident.cause) if incident.cause else "_Not resolved yet._",
            *(["", *_paragraphs(draft)] if draft else []),
            "",
            "## Impact",
            "",
            "_Who noticed what, and for how long?_",
            "",
            "## Timeline",
            "",
            "Times are UTC.",
            "",
            *_timeline(record, names),
            "",
            "## What went well, what did not",
            "",
            "_…_",
            "",
            "## What we change",
            "",
            *([_todo(todo, names) for todo in record.todos] or ["- [ ] _what, who, until when_"]),
            "",
        ]
    )


def _todo(todo: Todo, names: Mapping[str, str]) -> str:
    """ "- [ ] raise the limit, ben, until 2026-01-09 23:00 UTC"."""
    who = f", {_words(names.get(todo.owner, 'a person'))}" if todo.owner else ""
    until = f", until {utc(todo.due_at)}" if todo.due_at else ""
    issue = f", <{todo.issue_url}>" if todo.issue_url else ""
    return f"- [{'x' if todo.done_at else ' '}] {_words(todo.text)}{who}{until}{issue}"


DRAFT_MARK = "DRAFT, written from the timeline by rules. Check each sentence."
DRAFT_LIMIT = 2900  # characters: Slack allows 3,000 in a modal's input


def draft_text(record: IncidentRecord, names: Mapping[str, str], *, sentences: ProseSentences | None = None) -> str:
    """The timeline as prose: one line with one sentence and its time (UTC) per entry. If too long, the newest are cut.

    sentences: a model's. Entries that it left out are only counted; other entries without a sentence are written by
    rules.
    """
    prose = sentences or ProseSentences()
    shown: list[str] = []
    size, left_out = len(DRAFT_MARK), len(prose.left_out)
    for n, event in enumerate(record.events):
        if n in prose.left_out:
            continue
        sentence = _sentence(event, names, prose.texts.get(n))
        size += len(sentence) + 1
        if size > DRAFT_LIMIT:
            return "\n".join([*shown, f"({len(record.events) - n} later entries are in the timeline.)"])
        shown.append(sentence)
    shown += [f"({counted(left_out, 'other entry')} in the timeline.)"] if left_out else []
    return "\n".join(shown) or "No entries."


def _sentence(event: IncidentEvent, names: Mapping[str, str], text: str | None) -> str:
    """One sentence. `text`: the model's checked sentence; None: use the entry's own words."""
    words = plain(event_words(event) if text is None else f"{text[:1].lower()}{text[1:]}", limit=300).rstrip(".")
    who = names.get(event.by.user_id, "a person") if event.by else ""
    marked = " (a marked message)" if event.ts else ""
    return f"At {_clock(event.happened_at)}, {plain(who, limit=80)}{' ' if who else ''}{words}{marked}."


def draft_answer(record: IncidentRecord, names: Mapping[str, str]) -> Answer:
    """The draft, for the requester only, with a button to edit it before the export."""
    incident, text = record.incident, draft_text(record, names)
    first = f"📝 *{DRAFT_MARK}* Incident {incident.id}, times are UTC."
    buttons = [
        action_button("Edit and export…", DRAFT_ACTION, str(incident.id)),
        command_button("Export without it", f"incident export {incident.id}"),
    ]
    blocks = [section(first), preformatted(text), *actions(buttons)]
    data = incident_data(incident) | {"draft": text}
    return Answer(*fit_message(f"{first}\n{escape(text, limit=2000)}", blocks), data, private=True)


def _paragraphs(text: str) -> list[str]:
    """The lines of a person's text, with Markdown escaped."""
    return [_words(line) for line in text.splitlines()]


def _table(record: IncidentRecord) -> Iterator[str]:
    incident = record.incident
    services = [service.short for name in incident.services if (service := find_service(name))]
    yield "| | |"
    yield "|---|---|"
    yield f"| environment | {_words(incident.environment)} |"
    yield f"| severity | {incident.severity.upper()} |"
    yield f"| services | {', '.join(services) or 'none in particular'} |"
    for name, value in _times(incident, _start_event(record)):
        yield f"| {name} | {value} |"
    yield f"| people paged | {_paged(record.pages)} |"


def _start_event(record: IncidentRecord) -> IncidentEvent | None:
    return next((event for event in record.events if event.kind == BEGAN), None)


def _times(incident: Incident, began: IncidentEvent | None) -> Iterator[tuple[str, str]]:
    """Durations from the problem's start, or from its first detection; the acknowledgement's from the opening."""
    seen_for = incident.opened_at - incident.since
    at_least = f", at least {age(seen_for)}" if seen_for >= timedelta(seconds=1) else ""
    if began is None:
        yield "began", f"unknown, first seen {utc(incident.since)}"
        yield "time to detect", f"unknown{at_least}"
    else:
        yield "began", f"{utc(began.happened_at)} ({_words(began.text)})"
        yield "time to detect", age(incident.opened_at - began.happened_at)
    since = began.happened_at if began else incident.since
    yield "time to acknowledge", _span(incident.opened_at, incident.first_acknowledged_at, "not acknowledged")
    yield "time to mitigate", _span(since, incident.cleared_at, "unknown: no alert recorded its end")
    yield "time to resolve", _span(since, incident.resolved_at, "not resolved yet")


def _span(begin: datetime, end: datetime | None, otherwise: str) -> str:
    return otherwise if end is None else age(end - begin)


def _paged(pages: tuple[PageSent, ...]) -> str:
    if not pages:
        return "no one"
    return f"{counted(len(pages), 'time')}, up to level {max(page.level for page in pages) + 1}"


def _timeline(record: IncidentRecord, names: Mapping[str, str]) -> list[str]:
    lines = [f"- {_clock(event.happened_at)} {_line(event, names)}" for event in record.events]
    return lines or ["_No entries._"]


def _line(event: IncidentEvent, names: Mapping[str, str]) -> str:
    who = f"{_words(names.get(event.by.user_id, 'an unknown user'))} " if event.by else ""
    mark = "(marked) " if event.ts else ""
    return f"{mark}{who}{_words(event_words(event))}"


def _clock(moment: datetime) -> str:
    return utc(moment).removesuffix(" UTC")


def _words(text: str) -> str:
    """The text as one clean line with Markdown escaped."""
    return _MARKUP.sub(r"\\\1", plain(text, limit=LINE_LIMIT))


SHOWN = 20
ANOTHER = "--new"  # open one even if an incident is open for the same service
OPEN_EXAMPLE = "incident open ingest amounts look wrong"
RESOLVE_EXAMPLE = "incident resolve 7 a bad deploy, rolled back"


async def answer_incidents(request: Request, world: World) -> Answer:
    """List the newest incidents; with a number, show that incident's timeline."""
    if request.words and read_number(request.words[0]) is not None:
        return await answer_timeline(request, world)
    no_more(request.words, 0)
    found = await world.read(_read_incidents)
    if isinstance(found, Unavailable):
        return unavailable_answer("incidents", found)
    return incidents_answer(*found, now=datetime.now(UTC))


async def _read_incidents(conn: Connection) -> tuple[list[Incident], list[JoinedAlert]]:
    return await list_incidents(conn, limit=SHOWN), await list_alerts_of_open_incidents(conn)


async def answer_open(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    another = request.words[:1] == (ANOTHER,)
    severity, services, title = parse_open(request.words[1:] if another else request.words, world.system)
    outcome = await need_incident_service(incident_service).open(
        request, title=title, severity=severity, services=services, another=another
    )
    return incident_outcome_answer(outcome)


def parse_open(words: tuple[str, ...], system: System) -> tuple[IncidentSeverity, tuple[str, ...], str]:
    """Parse the severity (the first or last word, else SEV2), the services that the next word names, and the title.
    Raises UsageError."""
    severity, rest = IncidentSeverity.SEV2, words
    if rest and rest[0].lower() in tuple(IncidentSeverity):
        severity, rest = parse_severity(rest[0]), rest[1:]
    elif rest and rest[-1].lower() in tuple(IncidentSeverity):
        severity, rest = parse_severity(rest[-1]), rest[:-1]
    if not rest:
        raise UsageError("What is wrong?", why="the description is missing", what_next=f"Write `{OPEN_EXAMPLE}`.")
    services = system.find_services(rest[0]) or ()
    return severity, tuple(service.value for service in services), parse_reason(rest, OPEN_EXAMPLE, called="title")


async def answer_ack(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    """Acknowledge an incident; without a number first a database outage, of which no incident can be stored."""
    if not request.words and incident_service is not None and request.actor is not None and request.incident is None:
        await incident_service.refuse_early(request)
        if await incident_service.acknowledge_outage(request.actor.user_id):
            return notice_answer(OUTAGE_ACKNOWLEDGED)
    number, rest = await need_incident(request, world, IncidentVerb.ACK)
    no_more(rest, 0)
    return incident_outcome_answer(await need_incident_service(incident_service).acknowledge(number, request))


async def answer_escalate(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    number, rest = await need_incident(request, world, IncidentVerb.ESCALATE)
    no_more(rest, 0)
    return incident_outcome_answer(await need_incident_service(incident_service).escalate(number, request))


async def answer_resolve(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    number, rest = await need_incident(request, world, IncidentVerb.RESOLVE, RESOLVE_EXAMPLE)
    cause = parse_reason(rest, RESOLVE_EXAMPLE, called="cause")
    return incident_outcome_answer(await need_incident_service(incident_service).resolve(number, request, cause))


async def answer_severity(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    number, rest = await need_incident(request, world, IncidentVerb.SEVERITY, "incident severity 7 sev1")
    if not rest:
        raise _which_severity(number)
    no_more(rest, 1)
    return incident_outcome_answer(
        await need_incident_service(incident_service).change_severity(number, request, parse_severity(rest[0]))
    )


def _which_severity(number: int) -> UsageError:
    return UsageError(
        "Which severity?",
        why="the severity is missing",
        what_next=f"Press one, or write `incident severity {number} sev1`.",
        choices=[Choice(f"incident severity {number} {one}", one.upper()) for one in IncidentSeverity],
    )


async def answer_timeline(request: Request, world: World) -> Answer:
    record = await need_incident_record(request, world, IncidentVerb.TIMELINE)
    return unavailable_answer("timeline", record) if isinstance(record, Unavailable) else timeline_answer(record)


async def answer_similar(request: Request, world: World) -> Answer:
    number, rest = await need_incident(request, world, IncidentVerb.SIMILAR)
    no_more(rest, 0)
    if await world.read(read_incident, number) is None:
        raise _no_incident(number)
    found = await world.read(list_similar_incidents, incident_id=number, window=SEEN_WITHIN, limit=SIMILAR_LIMIT)
    if isinstance(found, Unavailable):
        return unavailable_answer("similar incidents", found)
    return similar_answer(number, found)


async def answer_export(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    record = await need_incident_record(request, world, IncidentVerb.EXPORT)
    if isinstance(record, Unavailable):
        return unavailable_answer("postmortem", record)
    return postmortem_answer(record, await names_of(record, incident_service))


async def answer_draft(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    record = await need_incident_record(request, world, IncidentVerb.DRAFT)
    if isinstance(record, Unavailable):
        return unavailable_answer("draft", record)
    return draft_answer(record, await names_of(record, incident_service))


async def names_of(record: IncidentRecord, incident_service: IncidentService | None) -> Mapping[str, str]:
    """Look up the names of the people in the timeline and of the owners of follow-ups: `{Slack id: name}`."""
    return await incident_service.names.look_up(people_in(record)) if incident_service else {}


def people_in(record: IncidentRecord) -> set[str]:
    """Slack ids of the people whom a postmortem names."""
    owners = {todo.owner for todo in record.todos if todo.owner}
    return owners | {event.by.user_id for event in record.events if event.by}


async def need_incident_record(request: Request, world: World, command: IncidentVerb) -> IncidentRecord | Unavailable:
    """Read the incident that is named, else that of the thread, else the only open one. Raises UsageError."""
    number, rest = await need_incident(request, world, command)
    no_more(rest, 0)
    found = await world.read(read_incident_record, number)
    if found is None:
        raise _no_incident(number)
    return found


def _no_incident(number: int) -> UsageError:
    why, what_next = "no incident has this number", "`incident` lists them."
    return UsageError(f"There is no incident {number}", why=why, what_next=what_next)
