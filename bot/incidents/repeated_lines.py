"""Bounds the lines of one person in a timeline: repetitions are added to a line that the person has already."""

from __future__ import annotations

from collections.abc import Sequence

from bot.approvals.access import Refused
from bot.repeats import WITHIN
from services.clients.postgres import timeline
from services.clients.postgres.pool import Connection
from services.domain.incidents import Incident, RepeatedLine
from services.domain.people import Person

LINES_AT_ONCE = 5  # of one person, kind and incident
REPEATED = frozenset({"reported", "active"})
FOLDED_LIMIT = 900  # characters: what a postmortem shows of a line
BETWEEN = " · "


async def find_lines(conn: Connection, incident: Incident, kind: str, person: Person) -> Sequence[RepeatedLine]:
    """Return this person's lines, the first of which takes a repetition; empty if they get a line of their own."""
    if kind not in REPEATED:
        return ()
    lines = await timeline.list_own_lines(conn, incident_id=incident.id, kind=kind, person=person, window=WITHIN)
    return lines if len(lines) >= LINES_AT_ONCE else ()


async def refuse_report(conn: Connection, incident: Incident, person: Person, words: str) -> Refused | None:
    """Return why a report is not added to the open incident: the person's line has no room. None if it can be added."""
    lines = await find_lines(conn, incident, "reported", person)
    if not lines or added_by(lines, f"reports: {words}") is not None:
        return None
    minutes = int(WITHIN.total_seconds() // 60)
    return Refused(
        f"you reported too much about incident {incident.id} within {minutes} min: this was not added",
        "Write it in the incident's thread.",
    )


def added_by(lines: Sequence[RepeatedLine], text: str) -> str | None:
    """Return what the text adds to the first line: "" if a line has its words already, None if there is no room."""
    _, separator, words = text.partition(": ")
    if not separator or any(words in line.text for line in lines):
        return ""
    added = f"{BETWEEN}{words}"
    return added if len(lines[0].text) + len(added) <= FOLDED_LIMIT else None
