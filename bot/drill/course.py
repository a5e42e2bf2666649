"""Reads how far a drill has come: from its alert over the calls of its incident to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bot.drill.decide import Call, Course
from bot.incidents.calling import page_key, target_key
from services.domain.drills import Drill
from services.domain.incidents import Incident, PageSent
from services.domain.notifications import Notification, NotificationState
from services.domain.oncall import Reach, Target, decode_chain
from services.postgres import drills, incidents, notifications, outbox
from services.postgres.clock import read_clock
from services.postgres.pool import Connection


async def read_course(conn: Connection, drill: Drill) -> tuple[Course, Incident | None]:
    """With the incident that the drill opened; None before."""
    now = await read_clock(conn)
    traces = await drills.read_drill_traces(conn, fingerprint=drill.fingerprint)
    if traces is None:
        return Course(now, drill), None
    incident = await incidents.read_incident(conn, traces.incident_id) if traces.incident_id else None
    if incident is None:
        return Course(now, drill, traces.fired_at, traces.held, _moment(traces.message_ts)), None
    answered_by = incident.acknowledged_by
    course = Course(
        now=now,
        drill=drill,
        detected_at=traces.fired_at,
        held=traces.held,
        told_at=_moment((await outbox.read_message_state(conn, key=incident.message_key))[0]),
        calls=await _read_calls(conn, incident),
        answered_at=incident.first_acknowledged_at,
        answered_by=answered_by.user_id if answered_by else None,
        is_resolved=incident.resolved_at is not None,
    )
    return course, incident


async def _read_calls(conn: Connection, incident: Incident) -> Sequence[Call]:
    """Everybody of every level that was called, and what became of it."""
    chain = decode_chain(incident.chain)
    told = {one.key: one for one in await notifications.list_notifications(conn, thread_key=incident.message_key)}
    calls = []
    for page in await incidents.list_pages(conn, incident.id):
        for target in chain.levels[page.level].targets:
            calls.append(await _read_call(conn, page, target, told.get(target_key(page, target))))
    return calls


async def _read_call(conn: Connection, page: PageSent, target: Target, told: Notification | None) -> Call:
    if told is not None:
        at = told.ended_at if told.state is NotificationState.SENT else None
        return Call(target.who, target.reach.words, at, told.last_error)
    key = page_key(page) if target.reach is Reach.MENTION else target_key(page, target)
    ts, why = await outbox.read_message_state(conn, key=key)
    return Call(target.who, target.reach.words, _moment(ts), why)


def _moment(ts: str | None) -> datetime | None:
    """Slack names a message by the moment at which it took it."""
    return None if ts is None else datetime.fromtimestamp(float(ts), UTC)
