"""A postmortem to fill in, as Markdown: what the bot knows is written, what people have to add is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot.commands._contract import Answer, Attachment
from bot.views.blocks import section
from bot.views.incidents import incident_data
from bot.views.message import fit_message
from bot.views.text import escape, plain, utc
from services.domain.incidents import BEGAN, Incident, IncidentEvent, PageSent
from services.domain.services import find_service
from services.domain.words import age, counted

if TYPE_CHECKING:
    from bot.facts.incidents import IncidentRecord

LINE_LIMIT = 1000
_MARKUP = re.compile(r"([\\`*_\[\]<>|#])")


def postmortem_answer(record: IncidentRecord, names: Mapping[str, str]) -> Answer:
    """The file, and one line that says what it is. `names`: what people are called, by their Slack ids."""
    incident = record.incident
    name = f"incident-{incident.id}.md"
    first = f"📄 Postmortem of incident {incident.id}: {escape(incident.title, limit=300)}"
    attachment = Attachment(name, postmortem(record, names))
    data = incident_data(incident) | {"markdown": attachment.text}
    return Answer(*fit_message(first, [section(first)]), data, file=attachment)


def postmortem(record: IncidentRecord, names: Mapping[str, str]) -> str:
    """Markdown. Untrusted words stand in it as words: no markup, link or line of theirs comes out of them."""
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
            "- [ ] _what, who, until when_",
            "",
        ]
    )


def _table(record: IncidentRecord) -> Iterator[str]:
    incident = record.incident
    services = [service.short for name in incident.services if (service := find_service(name))]
    yield "| | |"
    yield "|---|---|"
    yield f"| environment | {_words(incident.environment)} |"
    yield f"| severity | {incident.severity.upper()} |"
    yield f"| services | {', '.join(services) or 'no one alone'} |"
    for name, value in _times(incident, _beginning(record)):
        yield f"| {name} | {value} |"
    yield f"| people called | {_called(record.pages)} |"


def _beginning(record: IncidentRecord) -> IncidentEvent | None:
    return next((event for event in record.events if event.kind == BEGAN), None)


def _times(incident: Incident, began: IncidentEvent | None) -> Iterator[tuple[str, str]]:
    """Each from the beginning of the trouble, or from its first sight; the acknowledgement from the opening."""
    seen_for = incident.opened_at - incident.since
    at_least = f", at least {age(seen_for)}" if seen_for >= timedelta(seconds=1) else ""
    if began is None:
        yield "began", f"not known, first seen {utc(incident.since)}"
        yield "time to detect", f"not known{at_least}"
    else:
        yield "began", f"{utc(began.happened_at)} ({_words(began.text)})"
        yield "time to detect", age(incident.opened_at - began.happened_at)
    since = began.happened_at if began else incident.since
    yield "time to acknowledge", _span(incident.opened_at, incident.first_acknowledged_at, "nobody acknowledged it")
    yield "time to mitigate", _span(since, incident.cleared_at, "not known: no alert told when it was over")
    yield "time to resolve", _span(since, incident.resolved_at, "not resolved yet")


def _span(begin: datetime, end: datetime | None, otherwise: str) -> str:
    return otherwise if end is None else age(end - begin)


def _called(pages: tuple[PageSent, ...]) -> str:
    if not pages:
        return "nobody"
    return f"{counted(len(pages), 'time')}, up to level {max(page.level for page in pages) + 1}"


def _timeline(record: IncidentRecord, names: Mapping[str, str]) -> list[str]:
    lines = [f"- {_clock(event.happened_at)} {_line(event, names)}" for event in record.events]
    return lines or ["_Nothing was written down._"]


def _line(event: IncidentEvent, names: Mapping[str, str]) -> str:
    who = f"{_words(names.get(event.by.user_id, 'somebody'))} " if event.by else ""
    mark = "(marked) " if event.ts else ""
    return f"{mark}{who}{_words(event.text)}"


def _clock(moment: datetime) -> str:
    return utc(moment).removesuffix(" UTC")


def _words(text: str) -> str:
    """One clean line in which Markdown means nothing."""
    return _MARKUP.sub(r"\\\1", plain(text, limit=LINE_LIMIT))
