"""Writes down what was told while nothing could be: `why database` and the timelines of open incidents know it then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.outage.phones import Rung
from bot.views.outage import back_words
from services.domain.words import age
from services.postgres import alerts, incidents, timeline
from services.postgres.pool import Connection

FINGERPRINT = "database"  # the alert of which an absent database is the worst case


@dataclass(frozen=True)
class Away:
    """One absence. `since`: when it was first missed. `told_at`: when Slack had the message. `by`: which replica posted
    it, in words. `problem`: empty where only that replica knows. `refused_writes`: it answered, and stored nothing."""

    since: datetime
    told_at: datetime
    ended_at: datetime
    by: str
    problem: str = ""
    refused_writes: bool = False


async def note_absence(conn: Connection, away: Away) -> None:
    """That it was told, and that it is over."""
    why = f" ({away.problem})" if away.problem else ""
    what = "the database took no writes" if away.refused_writes else "the bot did not reach the database"
    told = f"{what}{why} since {away.since:%H:%M:%S} UTC: {away.by} told it in Slack"
    over = f"{back_words(refused_writes=away.refused_writes)}, after {age(away.ended_at - away.since)}"
    await _note(conn, away.told_at, "told", told)
    await _note(conn, away.ended_at, "resolved", over)
    for incident in await incidents.list_open_incidents(conn):
        for at, words in ((away.told_at, told), (away.ended_at, over)):
            await timeline.add_event(conn, incident_id=incident.id, kind="outage", text=words, happened_at=at)


async def note_rings(conn: Connection, rung: Sequence[Rung]) -> None:
    """Whom it was told outside Slack."""
    for one in sorted(rung, key=lambda one: one.at):
        way = f"{one.target} by {one.means}, while the database was away"
        if one.why_not is None:
            await _note(conn, one.at, "called", way)
        else:
            await _note(conn, one.at, "not called", f"{way}: {one.why_not}")


async def _note(conn: Connection, at: datetime, decision: str, reason: str) -> None:
    await alerts.note_alert_decision(
        conn, at=at, fingerprint=FINGERPRINT, alert_id=None, decision=decision, reason=reason
    )
