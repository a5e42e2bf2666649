"""Pages people for an incident and cancels pages, in the transaction of the incident's state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.incidents.decide import PageLevel, next_page, pages_people
from bot.incidents.store import IncidentStore
from bot.views import incident as view
from bot.views.pages import direct_message, direct_message_after
from services.clients.postgres import incident_alerts, incidents, messages, timeline
from services.clients.postgres.notifications import end_pages, store_notification
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import read_clock
from services.domain.channels import Channel
from services.domain.escalation_chain import Target, decode_chain, ways_words
from services.domain.incidents import Incident, IncidentSeverity, IncidentState, JoinedAlert, PageSent
from services.domain.message_origin import slash
from services.domain.messages import PAGE
from services.domain.notifications import PageEvent
from services.domain.text import dated_time

PATIENCE = timedelta(seconds=1)  # until the root message is posted: pages link to its thread
# PagerDuty's words: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
_SEVERITIES = {
    IncidentSeverity.SEV1: "critical",
    IncidentSeverity.SEV2: "error",
    IncidentSeverity.SEV3: "warning",
}


async def page_next(incident_store: IncidentStore, conn: Connection, incident: Incident, reason: str) -> Incident:
    """Page the next level, unless the incident is acknowledged or pages no one; return the incident as it is then."""
    action = next_page(incident, decode_chain(incident.chain))
    if action is None or not pages_people(incident):
        return await incident_store.update_message(conn, incident.id)
    return await page_level(incident_store, conn, incident, action, reason)


async def page_level(
    incident_store: IncidentStore, conn: Connection, incident: Incident, action: PageLevel, reason: str
) -> Incident:
    """Store the page, and each person's message; they are sent once the transaction is committed.

    Raises SourceError, when the transaction ends, unless the incident is open.
    """
    written = await incidents.record_page(
        conn,
        incident_id=incident.id,
        number=action.number,
        level=action.index,
        reason=reason,
        due_in=action.level.wait,
    )
    if not written:
        return incident
    await timeline.add_event(conn, incident_id=incident.id, kind="called", text=_paged(action, reason))
    incident = await incident_store.update_message(conn, incident.id)
    alerts = await incident_alerts.list_joined_alerts(conn, incident.id)
    page = PageSent(incident.id, action.number, action.index, reason, await read_clock(conn))
    await incident_store.post(conn, incident, page_key(page), view.paged_message(page, action.level), priority=PAGE)
    for target in action.level.targets:
        await _notify_outside(incident_store, conn, incident, alerts, page, target, action.level.skipped)
    return incident


async def cancel_pages(conn: Connection, incident: Incident) -> None:
    """Cancel unsent pages, edit sent ones, and notify pagers that ring: no acknowledgement is needed any more."""
    prefix = f"{incident.message_key}:page:"
    await messages.withdraw(conn, key_prefix=prefix, late=view.late_page(incident))
    alerts = await incident_alerts.list_joined_alerts(conn, incident.id)
    is_taken = incident.state is IncidentState.ACKNOWLEDGED
    event = PageEvent.ACKNOWLEDGED if is_taken else PageEvent.RESOLVED
    subject, text = view.page_over(incident, alerts)
    await end_pages(conn, key_prefix=prefix, thread_key=incident.message_key, event=event, subject=subject, text=text)
    await notify_directly(conn, incident)


async def take_back(incident_store: IncidentStore, conn: Connection, incident: Incident, why: str) -> None:
    """Reopen an incident that no one works on any more, and page people. `why`: plain words for the timeline."""
    await incidents.unacknowledge_incident(conn, incident_id=incident.id)
    await incident_store.record(conn, incident, "unacknowledged", f"{why}: it is open again")
    incident = await incident_store.notify_everywhere(conn, incident.id)
    await notify_directly(conn, incident)
    await page_next(incident_store, conn, incident, "the assignee did not respond")


async def notify_directly(conn: Connection, incident: Incident) -> None:
    """Update the direct messages of all paged people with its owner."""
    alerts = await incident_alerts.list_joined_alerts(conn, incident.id)
    chain = decode_chain(incident.chain)
    for page in await incidents.list_pages(conn, incident.id):
        for target in chain.levels[page.level].targets:
            if target.channel is Channel.DIRECT:
                words, blocks = direct_message_after(incident, alerts, target.address)
                await messages.replace_message(conn, key=target_key(page, target), text=words, blocks=blocks)


async def remind(
    incident_store: IncidentStore, conn: Connection, incident: Incident, *, silent_since: datetime, now: datetime
) -> None:
    """Ask its owner whether they still work on it; without an owner, ask people to resolve it.

    The keys begin like those of pages, so that an answer also withdraws unsent reminders.
    """
    words = f"no activity since {dated_time(silent_since, now)}"
    event = await timeline.add_event(conn, incident_id=incident.id, kind="reminded", text=words)
    key, content = f"{incident.message_key}:page:reminder:{event}", view.reminder(incident, words)
    await incident_store.post(conn, incident, key, content, priority=PAGE)
    if incident.acknowledged_by is not None and incident.acknowledged_by.is_in_slack:
        text, blocks = content
        user = incident.acknowledged_by.user_id
        await messages.store_message(conn, key=f"{key}:direct", channel=user, text=text, blocks=blocks, priority=PAGE)


async def _notify_outside(
    incident_store: IncidentStore,
    conn: Connection,
    incident: Incident,
    alerts: Sequence[JoinedAlert],
    page: PageSent,
    target: Target,
    skipped: Sequence[str],
) -> None:
    key = target_key(page, target)
    if target.channel is Channel.DIRECT:
        words, blocks = direct_message(incident, alerts, page, incident_store.place.channel)
        await messages.store_message(conn, key=key, channel=target.address, text=words, blocks=blocks, priority=PAGE)
    elif target.channel.leaves_slack:
        line = view.summary(incident, alerts)
        await store_notification(
            conn,
            key=key,
            means=target.channel,
            target=target.address,
            subject=f"PAGE {line}",
            text=_outside(incident, view.details(incident, alerts), page, incident_store.place.channel, skipped),
            thread_key=incident.message_key,
            details=_details(incident) | incident_store.runbook_link(alerts),
            patience=PATIENCE,
        )


def page_key(page: PageSent) -> str:
    """The outbox key of the message in the thread that pages people."""
    return f"incident:{page.incident_id}:page:{page.number}"


def target_key(page: PageSent, target: Target) -> str:
    """The key of one person's message, in the outbox or among the notifications."""
    return f"{page_key(page)}:{target.channel}:{target.address}"


def _paged(action: PageLevel, reason: str) -> str:
    return f"level {action.index + 1} ({action.level.name}) is paged: {reason}; {ways_words(action.level.targets)}"


def _details(incident: Incident) -> dict[str, str]:
    """Fields by which a pager sorts."""
    one = {"component": incident.services[0]} if len(incident.services) == 1 else {}
    return {"severity": _SEVERITIES[incident.severity], **one}


def _outside(incident: Incident, details: Sequence[str], page: PageSent, channel: str, skipped: Sequence[str]) -> str:
    """The text below the subject of a pager's or e-mail's message, without any data of the operated system."""
    what = f"Incident {incident.id}, {incident.severity.upper()}: level {page.level + 1} is paged, {page.reason}."
    how = f"Acknowledge it in Slack (#{channel.removeprefix('#')}), or type {slash(f'incident ack {incident.id}')}."
    return "\n".join([*details, *([""] if details else []), what, *(f"Not paged: {words}." for words in skipped), how])
