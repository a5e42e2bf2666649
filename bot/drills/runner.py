"""The drill runner: follows the active drill, ends it, reports the result and cleans up; leader only."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.drills.decide import Course, PagedTarget, outcome, report
from bot.incidents import acts
from bot.incidents.paging import page_key, target_key
from bot.incidents.store import IncidentStore
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views.drill import report_message
from services.clients.postgres import alerts, incidents, messages, notifications
from services.clients.postgres.listen import notify_refresh
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.alerts import MARK, Drill
from services.domain.channels import Channel
from services.domain.escalation_chain import Target, decode_chain
from services.domain.incidents import Incident, IncidentState, PageSent
from services.domain.notifications import Notification, NotificationState


async def read_course(conn: Connection, drill: Drill) -> tuple[Course, Incident | None]:
    """Read the drill's progress, and the incident that it opened; None before that."""
    now = await read_clock(conn)
    traces = await alerts.read_drill_traces(conn, fingerprint=drill.fingerprint)
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
        told_at=_moment((await messages.read_message_state(conn, key=incident.message_key))[0]),
        pages=await _read_pages(conn, incident),
        answered_at=incident.first_acknowledged_at,
        answered_by=answered_by.user_id if answered_by else None,
        is_resolved=incident.resolved_at is not None,
    )
    return course, incident


async def _read_pages(conn: Connection, incident: Incident) -> Sequence[PagedTarget]:
    """Return every target of each paged level, with the outcome of its page."""
    chain = decode_chain(incident.chain)
    notified = {one.key: one for one in await notifications.list_notifications(conn, thread_key=incident.message_key)}
    pages = []
    for page in await incidents.list_pages(conn, incident.id):
        for target in chain.levels[page.level].targets:
            pages.append(await _read_page(conn, page, target, notified.get(target_key(page, target))))
    return pages


async def _read_page(conn: Connection, page: PageSent, target: Target, notified: Notification | None) -> PagedTarget:
    if notified is not None:
        at = notified.ended_at if notified.state is NotificationState.SENT else None
        return PagedTarget(target.who, target.channel.words, at, notified.last_error)
    key = page_key(page) if target.channel is Channel.MENTION else target_key(page, target)
    ts, why = await messages.read_message_state(conn, key=key)
    return PagedTarget(target.who, target.channel.words, _moment(ts), why)


def _moment(ts: str | None) -> datetime | None:
    """The time at which Slack accepted the message, which its `ts` holds."""
    return None if ts is None else datetime.fromtimestamp(float(ts), UTC)


logger = logging.getLogger(__name__)

FOLLOW_EVERY_S = 1.0  # during a drill
TIMEOUT_S = 15.0  # it may wait for a page that is being sent


class DrillRunner(PeriodicTask):
    """Follows the active drill, of which there is at most one."""

    name = "drill"

    def __init__(self, database: Database, incident_store: IncidentStore) -> None:
        super().__init__(incident_store.wake_ups.refresh)
        self._database = database
        self._incident_store = incident_store
        self._wake_ups = incident_store.wake_ups

    async def tick(self, fence: Fence) -> float:
        """End the drill if it is over; return the seconds until the next tick. Raises SourceError if the database is
        away."""
        async with self._database.read() as conn:
            if await alerts.read_open_drill(conn) is None:
                return self._wake_ups.poll_s
        async with self._database.transaction(timeout_s=TIMEOUT_S) as conn:
            await fence.lock(conn)
            ended = await self._end_if_over(conn)
        if ended:
            self._wake_ups.outbox.set()
        return FOLLOW_EVERY_S

    async def _end_if_over(self, conn: Connection) -> bool:
        drill = await alerts.read_open_drill(conn)
        if drill is None:
            return False
        course, incident = await read_course(conn, drill)
        ended = outcome(course)
        if ended is None:
            return False
        found = report(course, ended)
        await alerts.end_drill(conn, id=drill.id, report=found)
        await notify_refresh(conn)  # the evaluator stops expecting the simulated worker
        logger.info("drill %d: %s", drill.id, ended)
        if incident is not None:
            incident = await acts.find(conn, incident.id)
            await self._incident_store.post(
                conn, incident, f"{incident.message_key}:drill", report_message(drill, found)
            )
            if incident.state is not IncidentState.RESOLVED:
                await acts.resolve(self._incident_store, conn, incident, drill.asked_by, f"{MARK} {drill.id}: {ended}")
        return True
