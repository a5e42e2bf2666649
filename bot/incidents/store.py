"""Opens incidents and shows their state in Slack, each in the transaction of the change.

Every change of an incident (by an alert, a person, the leader's clock) goes through this one place, so that the
root message, the thread and the timeline never disagree.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.incidents.repeated_lines import added_by, find_lines
from bot.slack_directory import nameless
from bot.views import incident as view
from bot.views.text import escape, person, plain
from bot.wake_ups import WakeUps
from services.clients.postgres import incident_alerts, incidents, messages, notifications, oncall, timeline
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.alerts import in_order
from services.domain.channels import Channel
from services.domain.escalation_chain import Chain, ChainLevel, Target, decode_chain, encode_chain
from services.domain.incidents import Incident, IncidentSeverity, JoinedAlert, NewIncident, RepeatedLine, repeated_words
from services.domain.messages import PAGE
from services.domain.oncall import PAGE_AGAIN_AFTER, Absent, Schedule, make_chain, nobody_is_absent
from services.domain.people import Person

TITLE_LIMIT = 300  # characters


WriteAlert = Callable[[Connection, str], Awaitable[None]]


@dataclass(frozen=True)
class Place:
    """Environment and channel of incidents, and who is paged. `approvers`: Slack ids, if `schedule` has no one."""

    environment: str
    channel: str
    schedule: Schedule | None
    approvers: tuple[str, ...]


async def writes_nothing(conn: Connection, message_key: str) -> None:
    """Write nothing; the default of `write_alert`."""


def no_runbook(rule: str) -> str | None:  # noqa: ARG001
    """Know no address; the default of `runbook_of`."""
    return None


def diagnosis_key(incident: Incident) -> str:
    """The outbox key of the diagnosis, one message in the incident's thread."""
    return f"{incident.message_key}:diagnosis"


class IncidentStore:
    """Opens incidents and writes their messages, thread and timeline; one per process.

    `write_alert` writes the message of alerts that has this key again. `name_of`: the name of a person of whom only the
    Slack id is known. `absent`: why a Slack id reaches no one. `runbook_of`: the address of the runbook's section about
    a rule, None if it is not known.
    """

    def __init__(
        self,
        place: Place,
        wake_ups: WakeUps | None = None,
        write_alert: WriteAlert = writes_nothing,
        name_of: Callable[[str], str] = nameless,
        absent: Absent = nobody_is_absent,
        runbook_of: Callable[[str], str | None] = no_runbook,
    ) -> None:
        self.place = place
        self.wake_ups = wake_ups or WakeUps()
        self._write_alert = write_alert
        self._name_of = name_of
        self._absent = absent
        self._runbook_of = runbook_of

    def runbook_link(self, alerts: Sequence[JoinedAlert]) -> dict[str, str]:
        """Return `{"runbook": address}` of the section about the first alert; empty if no address is known."""
        address = self._runbook_of(alerts[0].fingerprint.partition(".")[0]) if alerts else None
        return {"runbook": address} if address else {}

    def name_of(self, slack_id: str) -> str:
        """Return a person's name; a general word instead while the name is not known."""
        return self._name_of(slack_id)

    async def open(
        self,
        conn: Connection,
        *,
        title: str,
        severity: IncidentSeverity,
        services: Sequence[str],
        opened_by: Person | None,
        how: str,
        since: datetime | None = None,
    ) -> Incident:
        """Open an incident and announce it in the channel; the caller adds its alerts, and pages (`paging.page_next`).

        `how`: the timeline's words about its beginning, plain text.
        """
        chain = await self._chain(conn)
        new = NewIncident(
            environment=self.place.environment,
            severity=severity,
            title=plain(title, limit=TITLE_LIMIT),
            services=tuple(services),
            opened_by=opened_by,
            chain=encode_chain(chain),
            since=since,
        )
        number = await incidents.create_incident(conn, new)
        await incidents.set_due(conn, incident_id=number, due_in=chain.remind_after)
        await timeline.add_event(conn, incident_id=number, kind="opened", text=how, by=opened_by)
        return await self.update_message(conn, number)

    async def record(
        self,
        conn: Connection,
        incident: Incident,
        kind: str,
        text: str,
        *,
        by: Person | None = None,
        in_thread: bool = True,
    ) -> bool:
        """Write a line into the timeline and, if `in_thread`, the thread; True if it was added to an earlier line.

        `text`: plain words that follow the actor's name.
        """
        lines = await find_lines(conn, incident, kind, by) if by else ()
        if by and lines:
            await self._repeat(conn, incident, lines, text, by)
            return True
        event = await timeline.add_event(conn, incident_id=incident.id, kind=kind, text=text, by=by)
        if in_thread:
            who = f"{person(by)} " if by else ""
            await self.post(conn, incident, f"{incident.message_key}:event:{event}", view.note(who + escape(text)))
        return False

    async def _repeat(
        self, conn: Connection, incident: Incident, lines: Sequence[RepeatedLine], text: str, by: Person
    ) -> None:
        line, added = lines[0], added_by(lines, text) or ""
        repeats = await timeline.repeat_line(conn, event_id=line.id, added=added)
        words = f"{person(by)} {escape(repeated_words(line.text + added, repeats))}"
        await self.post(conn, incident, f"{incident.message_key}:event:{line.id}", view.note(words))

    async def update_message(self, conn: Connection, incident_id: int) -> Incident:
        """Write the root message from the state in this transaction; return the incident."""
        incident = await incidents.read_incident(conn, incident_id)
        assert incident is not None  # noqa: S101 - the caller has written or locked it
        alerts = await incident_alerts.list_joined_alerts(conn, incident_id)
        pages = await incidents.list_pages(conn, incident_id)
        outside = await notifications.list_notifications(conn, thread_key=incident.message_key)
        picture = await incidents.read_picture(conn, incident_id=incident_id) if incident.is_over else None
        words, blocks = view.incident_message(
            incident, alerts, pages, decode_chain(incident.chain), outside, picture.blocks if picture else ()
        )
        await messages.store_message(
            conn, key=incident.message_key, channel=self.place.channel, text=words, blocks=blocks, priority=PAGE
        )
        return incident

    async def rewrite_root(self, database: Database, message_key: str) -> None:
        """Write the root message of this key from the present state, in a transaction of its own."""
        number = int(message_key.partition(":")[2])
        async with database.transaction() as conn:
            if await incidents.lock_incident(conn, number) is not None:
                await self.update_message(conn, number)

    async def notify_everywhere(self, conn: Connection, incident_id: int) -> Incident:
        """Write the root message and those of its alerts again, because its owner changed; return the incident."""
        joined = await incident_alerts.list_joined_alerts(conn, incident_id)
        for key in in_order(one.message_key for one in joined):
            await self._write_alert(conn, key)
        return await self.update_message(conn, incident_id)

    async def post(
        self, conn: Connection, incident: Incident, key: str, content: view.Content, *, priority: int = 0
    ) -> None:
        """Post a message in the thread, once per key; nothing if the thread is pruned: the timeline still has it."""
        if await messages.read_message_content(conn, key=incident.message_key) is None:
            return
        words, blocks = content
        await messages.store_message(
            conn,
            key=key,
            channel=self.place.channel,
            thread_key=incident.message_key,
            text=words,
            blocks=blocks,
            priority=priority,
        )

    async def _chain(self, conn: Connection) -> Chain:
        """Return the escalation chain of this moment; its only level is the approvers if no one is on call."""
        schedule, now = self.place.schedule, await read_clock(conn)
        overrides = await oncall.list_overrides(conn)
        chain = make_chain(schedule, now, overrides, self._name_of, self._absent) if schedule else Chain()
        if chain.levels or not self.place.approvers:
            return chain
        whys = {one: self._absent(one) for one in self.place.approvers}
        approvers = tuple(Target(Channel.MENTION, one, self._name_of(one)) for one, why in whys.items() if why is None)
        left_out = tuple(f"{self._name_of(one)} {why}" for one, why in whys.items() if why is not None)
        if not approvers:
            return replace(chain, notes=(*chain.notes, *left_out))
        level = ChainLevel("approvers", approvers, PAGE_AGAIN_AFTER, left_out)
        return Chain((level,), chain.remind_after, chain.unacknowledge_after, chain.notes)
