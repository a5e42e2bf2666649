"""The incident service: acts that people request (`acts.py`), each in one transaction with its audit row.

Slack accounts are looked up before the transaction begins. The incident is locked: of two people who act at the same
time, on any replicas, the second sees what the first did.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from zoneinfo import ZoneInfo

from bot.admission import AuditLimit, Count, times
from bot.approvals.access import Refused
from bot.approvals.decisions import name_of, person_of
from bot.incidents import todos
from bot.incidents.access import OPENED_WITHIN, is_limited, may_open, may_open_another
from bot.incidents.acts import (
    CAUSE_LIMIT,
    Done,
    Joined,
    Outcome,
    acknowledge,
    begin,
    change_severity,
    escalate,
    find,
    join,
    resolve,
)
from bot.incidents.repeated_lines import refuse_report
from bot.incidents.store import IncidentStore
from bot.incidents.todos import NewTodo
from bot.oncall.responders import may_respond
from bot.oncall.service import OnCallService
from bot.repeats import refuse_repeat
from bot.slack_directory import Groups, SlackNames
from bot.types import Actor, Request
from bot.views.text import plain
from bot.writes import check_not_done, note_done, write
from services.clients.postgres import incidents, timeline
from services.clients.postgres.audit import append_audit
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.todos import read_todo
from services.domain.errors import OperatorError, SourceError
from services.domain.escalation_chain import decode_chain
from services.domain.incidents import Incident, IncidentSeverity, MarkedMessage, find_same
from services.domain.masking import mask_message
from services.domain.oncall import zone_of
from services.domain.people import Person

logger = logging.getLogger(__name__)

AcknowledgeOutage = Callable[[str], Awaitable[bool]]  # of a user id: True if there is one, see `bot.outage.database`

SHOWN_BY = "incident"
LOOKUP_S = 1.0  # a person waits for this look-up
TIMEOUT_S = 15.0  # the transaction waits for a page that is being posted

Act = Callable[[IncidentStore, Connection, Incident, Person], Awaitable[Outcome]]


class IncidentService:
    """Opens incidents and acts on them for people who may; one per process.

    `responders`: Slack ids of users and groups who may manage incidents. `names`: of people and groups. `on_call`
    changes who is on call. `acknowledge_outage`: for responders, while the database is away. `makes_issues`: True if
    each new follow-up gets a GitHub issue.
    """

    def __init__(
        self,
        database: Database,
        incident_store: IncidentStore,
        groups: Groups,
        names: SlackNames,
        responders: Sequence[str],
        *,
        makes_issues: bool = False,
        audit_limit: AuditLimit | None = None,
    ) -> None:
        self.names = names
        self.makes_issues = makes_issues
        self._database = database
        self._incident_store = incident_store
        self._groups = groups
        self._responders = frozenset(responders)
        self._audit_limit = audit_limit or AuditLimit(time.monotonic)
        self.acknowledge_outage: AcknowledgeOutage = _no_outage
        self.on_call = OnCallService(
            database,
            lambda: incident_store.place.schedule,
            groups,
            responders,
            self._audit_limit,
            incident_store.wake_ups,
            channel=incident_store.place.channel,
        )

    async def open(
        self,
        request: Request,
        *,
        title: str,
        severity: IncidentSeverity,
        services: Sequence[str],
        source: MarkedMessage | None = None,
        another: bool = False,
    ) -> Outcome:
        """Open an incident, announce it in the channel, and page people. `source`: the message that reports it.

        If an incident at least as severe is open about one of the services, the words go into its thread instead,
        unless `another` is True. A person who may not manage incidents opens only a few in a row.
        """
        person = person_of(request.actor)
        people = await self._groups.people(person.user_id if person else None)
        verdict = may_open(person, people)
        if isinstance(verdict, Refused):
            await self._record_refusal("opened", person, verdict)
            return verdict
        is_few = person is not None and is_limited(person, people, self._responders)
        async with write(self._database, request.delivery, shown_by=SHOWN_BY, timeout_s=TIMEOUT_S) as conn:
            await incidents.lock_opening(conn)
            same = None if another else find_same(await incidents.list_open_incidents(conn), services, severity)
            refused = await _why_not_now(conn, same, person, title, limited=self._responders if is_few else None)
            if refused is not None:
                await self._record_not_opened(conn, same, person, refused, request)
                return refused
            await note_done(conn, request.delivery, shown_by=SHOWN_BY)
            outcome: Done | Joined
            if same is not None:
                outcome = await join(self._incident_store, conn, same, person, title)
            else:
                outcome = await begin(self._incident_store, conn, title, severity, services, person)
            if source is not None:
                await _put_into_timeline(conn, outcome.incident, source, person.team_id if person else "")
            event = "opened" if same is None else "reported"
            details = {"severity": severity, "services": list(services)}
            await self._audit(conn, event, outcome.incident, person, details)
        self._incident_store.wake_ups.outbox.set()
        return outcome

    async def _record_not_opened(
        self, conn: Connection, incident: Incident | None, person: Person | None, refused: Refused, request: Request
    ) -> None:
        """Audit a refusal to open an incident. `incident`: the open one that the report was about."""
        await check_not_done(conn, request.delivery, shown_by=SHOWN_BY)
        with self._audit_limit.counting() as count:
            await self._audit_refusal(conn, count, "reported" if incident else "opened", incident, person, refused)

    async def refuse_early(self, request: Request) -> None:
        """Raise OperatorError for a person who may not manage incidents; called before a dialog opens."""
        person = person_of(request.actor)
        verdict = may_respond(person, await self._groups.people(person.user_id), self._responders) if person else None
        if isinstance(verdict, Refused):
            await self._record_refusal("manage", person, verdict)
            raise OperatorError("The incident did not change", why=verdict.why, what_next=verdict.what_next)

    async def add_todo(self, incident_id: int, request: Request, new: NewTodo) -> Outcome:
        """Add a follow-up to the incident, its thread, its timeline and its postmortem."""

        async def act(incident_store: IncidentStore, conn: Connection, incident: Incident, person: Person) -> Outcome:
            marker = todos.new_marker() if self.makes_issues else None
            made = await todos.add(incident_store, conn, incident, person, new, marker)
            return Done(incident, f"Follow-up {made.id} is added.")

        return await self._act("todo", incident_id, request, act)

    async def incidents_for_todo(self, channel_id: str, ts: str) -> Sequence[Incident]:
        """Return the incident in whose thread this is; else the latest ones, to choose from. Raises SourceError."""
        async with self._database.read(timeout_s=LOOKUP_S) as conn:
            incident = await incidents.find_incident_of_message(conn, channel_id=channel_id, ts=ts)
            return [incident] if incident else await incidents.list_incidents(conn, limit=todos.OFFERED)

    async def finish_todo(self, todo_id: int, request: Request) -> Outcome:
        """Mark a follow-up as done."""
        async with self._database.read(timeout_s=TIMEOUT_S) as conn:
            todo = await read_todo(conn, todo_id=todo_id)
        if todo is None:
            return Refused(f"there is no follow-up {todo_id}", "`incident todo` lists the open ones.")

        async def act(incident_store: IncidentStore, conn: Connection, incident: Incident, person: Person) -> Outcome:
            if await todos.finish(incident_store, conn, incident, person, todo) is None:
                return Refused(f"follow-up {todo_id} is already done", "`incident todo` lists the open ones.")
            return Done(incident, f"Follow-up {todo_id} is done.")

        return await self._act("todo_done", todo.incident_id, request, act)

    async def incident_at(self, channel_id: str, ts: str) -> Incident | None:
        """Return the incident whose root message, or page, this is; None if there is none or the database is away."""
        try:
            async with self._database.read(timeout_s=LOOKUP_S) as conn:
                return await incidents.find_incident_of_message(conn, channel_id=channel_id, ts=ts)
        except SourceError as error:
            logger.warning("which incident a thread belongs to is unknown: %s", error.why)
            return None

    async def note_activity(self, incident: Incident) -> None:
        """Restart the reminder: a person is active in the incident. Does nothing while the database is away."""
        due_in = decode_chain(incident.chain).remind_after
        try:
            async with self._database.transaction(timeout_s=LOOKUP_S) as conn:
                await incidents.note_activity(conn, incident_id=incident.id, due_in=due_in)
        except SourceError as error:
            logger.warning("activity was not noted: %s", error.why)

    async def acknowledge(self, incident_id: int, request: Request) -> Outcome:
        return await self._act("acknowledged", incident_id, request, acknowledge)

    async def escalate(self, incident_id: int, request: Request) -> Outcome:
        return await self._act("escalated", incident_id, request, escalate)

    async def resolve(self, incident_id: int, request: Request, cause: str) -> Outcome:
        """Resolve the incident. Once this returns, nothing more is sent about it."""
        return await self._act(
            "resolved",
            incident_id,
            request,
            lambda incident_store, conn, incident, person: resolve(incident_store, conn, incident, person, cause),
        )

    async def change_severity(self, incident_id: int, request: Request, severity: IncidentSeverity) -> Outcome:
        return await self._act(
            "severity",
            incident_id,
            request,
            lambda incident_store, conn, incident, person: change_severity(
                incident_store, conn, incident, person, severity
            ),
            is_bounded=lambda incident: severity.value >= incident.severity.value,  # raising it is never refused
        )

    def follow(self, responders: Sequence[str]) -> None:
        """Replace the responders: who may manage incidents, and change who is on call."""
        self._responders = frozenset(responders)
        self.on_call.responders = frozenset(responders)

    async def zone_of(self, actor: Actor) -> ZoneInfo:
        """Return the time zone that the person set in Slack, else that of the on-call file."""
        known = (await self._groups.people(actor.user_id)).zone(actor.user_id)
        return known or zone_of(self._incident_store.place.schedule)

    async def mark(self, thread_ts: str, message: MarkedMessage, *, is_marked: bool) -> None:
        """Put a marked message of an incident's thread into its timeline, or take it out; ignore any other message."""
        async with self._database.transaction() as conn:
            incident = await incidents.find_incident_of_message(conn, channel_id=message.channel_id, ts=thread_ts)
            if incident is None:
                return
            if is_marked:
                await _put_into_timeline(conn, incident, message, self._groups.workspace or "")
            else:
                await timeline.remove_mark(conn, incident_id=incident.id, channel_id=message.channel_id, ts=message.ts)
        await self.note_activity(incident)

    async def _act(
        self,
        event: str,
        incident_id: int,
        request: Request,
        act: Act,
        *,
        is_bounded: Callable[[Incident], bool] = lambda _: True,
    ) -> Outcome:
        """Do one act, or refuse it, with its audit row. `is_bounded`: True if one person's repetitions are limited."""
        person = person_of(request.actor)
        if person is None:
            raise OperatorError(
                f"Incident {incident_id} did not change",
                why="the terminal does not identify you",
                what_next="Press the button in Slack, or type it there.",
            )
        verdict = may_respond(person, await self._groups.people(person.user_id), self._responders)
        shown_by = f"{SHOWN_BY} {incident_id}"
        with self._audit_limit.counting() as count:
            async with write(self._database, request.delivery, shown_by=shown_by, timeout_s=TIMEOUT_S) as conn:
                incident = await find(conn, incident_id)
                refused = verdict if isinstance(verdict, Refused) else None
                if refused is None and is_bounded(incident):
                    refused = await refuse_repeat(conn, person, f"incident.{event}", incident)
                outcome = refused or await act(self._incident_store, conn, incident, person)
                if isinstance(outcome, Refused):
                    await check_not_done(conn, request.delivery, shown_by=shown_by)
                    await self._audit_refusal(conn, count, event, incident, person, outcome)
                else:
                    await note_done(conn, request.delivery, shown_by=shown_by)
                    await self._audit(conn, event, incident, person, {})
        self._incident_store.wake_ups.outbox.set()
        return outcome

    async def _record_refusal(self, event: str, person: Person | None, refused: Refused) -> None:
        """Audit a refusal that is about no incident. It stands even if it can't be stored."""
        try:
            with self._audit_limit.counting() as count:
                async with self._database.transaction(timeout_s=LOOKUP_S) as conn:
                    await self._audit_refusal(conn, count, event, None, person, refused)
        except SourceError as error:
            logger.warning("a refusal was not recorded: %s", error.why)

    async def _audit_refusal(
        self,
        conn: Connection,
        count: Count,
        event: str,
        incident: Incident | None,
        person: Person | None,
        refused: Refused,
    ) -> None:
        """Audit a refusal; at most one row per person, incident and minute."""
        due = count(name_of(person), f"{event} {incident.id if incident else ''}")
        if due is not None:
            await self._audit(conn, f"{event}.refused", incident, person, {"why": refused.why, **times(due)})

    async def _audit(
        self,
        conn: Connection,
        event: str,
        incident: Incident | None,
        person: Person | None,
        details: Mapping[str, object],
    ) -> None:
        about = {"incident": incident.id} if incident else {}
        shown = {**about, "team": person.team_id if person else None, **details}
        await append_audit(conn, actor=name_of(person), event=f"incident.{event}", run_id=None, details=shown)


async def _why_not_now(
    conn: Connection, same: Incident | None, person: Person | None, title: str, *, limited: Collection[str] | None
) -> Refused | None:
    """Return why this person may not open an incident now, or add a report to the `same` one; None if they may.

    `limited`: the responders, given for a person who is none of them.
    """
    if person is None:
        return None
    if same is not None:
        return await refuse_report(conn, same, person, plain(title, limit=CAUSE_LIMIT))
    if limited is None:
        return await refuse_repeat(conn, person, "incident.opened")
    recent = await incidents.list_opened_by(conn, user_id=person.user_id, window=OPENED_WITHIN)
    verdict = may_open_another(recent, limited)
    return verdict if isinstance(verdict, Refused) else None


async def _put_into_timeline(conn: Connection, incident: Incident, message: MarkedMessage, team_id: str) -> None:
    """Add the message once, by its author, at its time; masked, because it leaves the channel."""
    await timeline.add_event(
        conn,
        incident_id=incident.id,
        kind="marked",
        text=mask_message(message.text),
        by=Person(message.user_id, team_id) if message.user_id else None,
        happened_at=message.written_at,
        channel_id=message.channel_id,
        ts=message.ts,
    )


async def _no_outage(user_id: str) -> bool:  # noqa: ARG001 - as the one for outages
    return False
