"""Where people work on incidents: each act is one transaction with its timeline, its message and its audit row.

Slack is asked who somebody is before the transaction begins. Of two who act in the same instant, on whatever replicas,
the second sees what the first did, because the incident is locked.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from bot.approvals.groups import Groups
from bot.approvals.requests import name_of, person_of
from bot.approvals.rights import Refused
from bot.commands._contract import Request
from bot.incidents import acting, overrides
from bot.incidents.acting import Done, Joined, Outcome
from bot.incidents.overrides import SlackOnly
from bot.incidents.rights import may_open, may_respond
from bot.incidents.slack_names import SlackNames
from bot.incidents.switchboard import Switchboard
from bot.views.mentions import mention
from bot.views.text import date_token
from services.domain.errors import OperatorError, SourceError
from services.domain.incidents import Incident, IncidentSeverity, MarkedMessage, find_same
from services.domain.masking_messages import mask_message
from services.domain.oncall import Override, decode_chain
from services.domain.rotations import levels_without_a_phone
from services.domain.runs import Person
from services.postgres import incidents, oncall, timeline
from services.postgres.audit import append_audit
from services.postgres.clock import read_clock
from services.postgres.pool import Connection, Database

logger = logging.getLogger(__name__)

AcknowledgeOutage = Callable[[str], Awaitable[bool]]  # of a user: whether there is one, see `bot.outage.post`

LOOK_S = 1.0  # a person waits behind this
TIMEOUT_S = 15.0  # a call that is being posted is waited for

Act = Callable[[Switchboard, Connection, Incident, Person], Awaitable[Outcome]]


class Room:
    """One for the process. `responders`: Slack ids of users and groups who may answer for an incident. `names`: what
    people are called. `acknowledge_outage`: for who may answer for incidents, while the database is away."""

    def __init__(
        self, database: Database, board: Switchboard, groups: Groups, names: SlackNames, responders: Sequence[str]
    ) -> None:
        self.names = names
        self._database = database
        self._board = board
        self._groups = groups
        self._responders = frozenset(responders)
        self.acknowledge_outage: AcknowledgeOutage = _no_outage

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
        """Raise the alarm: the incident is in the channel, and its people are called. `source`: where it was said.

        Where an incident at least as severe is open about one of the services, the words go into its thread instead,
        unless `another` is wanted.
        """
        person = person_of(request.actor)
        verdict = may_open(person, await self._groups.people(person.user_id if person else None))
        if isinstance(verdict, Refused):
            return verdict
        async with self._database.transaction(timeout_s=TIMEOUT_S) as conn:
            await incidents.lock_opening(conn)
            same = None if another else find_same(await incidents.list_open_incidents(conn), services, severity)
            outcome: Done | Joined
            if same is not None:
                outcome = await acting.join(self._board, conn, same, person, title)
            else:
                outcome = await acting.begin(self._board, conn, title, severity, services, person)
            if source is not None:
                await _put_into_timeline(conn, outcome.incident, source, person.team_id if person else "")
            event = "opened" if same is None else "reported"
            details = {"severity": severity, "services": list(services)}
            await self._audit(conn, event, outcome.incident, person, details)
        self._board.told()
        return outcome

    async def refuse_early(self, request: Request) -> None:
        """Raises OperatorError for somebody who may not answer for incidents: before a dialog opens."""
        person = person_of(request.actor)
        verdict = may_respond(person, await self._groups.people(person.user_id), self._responders) if person else None
        if isinstance(verdict, Refused):
            raise OperatorError("The incident did not change", why=verdict.why, what_next=verdict.what_next)

    async def incident_at(self, channel_id: str, ts: str) -> Incident | None:
        """The incident whose root message, or a message that calls for it, this is; also None while nobody can tell."""
        try:
            async with self._database.read(timeout_s=LOOK_S) as conn:
                return await incidents.find_incident_of_message(conn, channel_id=channel_id, ts=ts)
        except SourceError as error:
            logger.warning("which incident a thread belongs to is unknown: %s", error.why)
            return None

    async def note_activity(self, incident: Incident) -> None:
        """Somebody does something about it: whoever has it is not asked whether they still do."""
        due_in = decode_chain(incident.chain).remind_after
        try:
            async with self._database.transaction(timeout_s=LOOK_S) as conn:
                await incidents.note_activity(conn, incident_id=incident.id, due_in=due_in)
        except SourceError as error:
            logger.warning("activity was not noted: %s", error.why)

    async def acknowledge(self, incident_id: int, request: Request) -> Outcome:
        return await self._act("acknowledged", incident_id, request, acting.acknowledge)

    async def escalate(self, incident_id: int, request: Request) -> Outcome:
        return await self._act("escalated", incident_id, request, acting.escalate)

    async def resolve(self, incident_id: int, request: Request, cause: str) -> Outcome:
        """Once this returns, nobody is sent anything about it any more."""
        return await self._act(
            "resolved",
            incident_id,
            request,
            lambda board, conn, incident, person: acting.resolve(board, conn, incident, person, cause),
        )

    async def change_severity(self, incident_id: int, request: Request, severity: IncidentSeverity) -> Outcome:
        return await self._act(
            "severity",
            incident_id,
            request,
            lambda board, conn, incident, person: acting.change_severity(board, conn, incident, person, severity),
        )

    async def override(
        self, request: Request, *, rotation: str, user_id: str | None, span: timedelta, slack_only: bool = False
    ) -> str | SlackOnly | Refused:
        """Somebody stands in for a rotation from now on, or (None) nobody any more; what became of it, in mrkdwn.

        SlackOnly: nothing changed, because a level would lose its last phone and `slack_only` does not say that it may.
        Incidents that are open keep the chain with which they began.
        """
        person = person_of(request.actor)
        if person is None:
            raise OperatorError(
                "Nobody stands in",
                why="nobody knows who types on a terminal",
                what_next="Type it in Slack, behind `/dragonfly`.",
            )
        verdict = may_respond(person, await self._groups.people(person.user_id), self._responders)
        if isinstance(verdict, Refused):
            return verdict
        place, details = self._board.place, {"rotation": rotation, "user": user_id, "seconds": span.total_seconds()}
        gone = await self._why_not_on_call(user_id) if user_id else None
        if gone is not None:
            return gone
        async with self._database.transaction() as conn:
            levels = () if slack_only or user_id is None else await self._losing_phones(conn, rotation, user_id, person)
            if levels:
                return SlackOnly(levels)
            if user_id is None:
                ended = await overrides.end(conn, place.schedule, channel=place.channel, rotation=rotation, by=person)
                words = f"{rotation}: {'as the file says again' if ended else 'nobody stood in'}."
            else:
                made = await overrides.put_on_call(
                    conn,
                    place.schedule,
                    channel=place.channel,
                    rotation=rotation,
                    user_id=user_id,
                    span=span,
                    by=person,
                )
                words = f"{mention(user_id)} stands in for {rotation} until {date_token(made.ends_at)}. Both are told."
            details |= {"team": person.team_id}
            await append_audit(conn, actor=person.user_id, event="oncall.override", run_id=None, details=details)
        self._board.told()
        return words

    async def take_override(self, request: Request, override_id: int) -> str | Refused:
        """Whoever was put on call says that they take it; what became of it, in mrkdwn."""
        person = person_of(request.actor)
        if person is None:
            raise OperatorError(
                "Nothing changed",
                why="nobody knows who types on a terminal",
                what_next="Type it in Slack, behind `/dragonfly`.",
            )
        stranger = (await self._groups.people(person.user_id)).stranger(person)
        if stranger is not None:
            return Refused(stranger, "Ask one of our own people.")
        channel = self._board.place.channel
        async with self._database.transaction() as conn:
            taken = await overrides.take(conn, channel=channel, override_id=override_id, user_id=person.user_id)
            if taken is None:
                return Refused("you are not put on call by this, or it is over", "`oncall` shows who is on call.")
            details = {"override": override_id, "rotation": taken.rotation, "team": person.team_id}
            await append_audit(conn, actor=person.user_id, event="oncall.taken", run_id=None, details=details)
        self._board.told()
        return f"You are on call for {taken.rotation} until {date_token(taken.ends_at)}."

    async def _why_not_on_call(self, user_id: str) -> Refused | None:
        """Nobody can be called behind an account that is switched off, or that is no person's."""
        people = await self._groups.people(user_id)
        if not people.is_barred(user_id):
            return None
        return Refused(f"{mention(user_id)} is no active member of our workspace", "Put somebody else on call.")

    async def _losing_phones(self, conn: Connection, rotation: str, user_id: str, by: Person) -> tuple[int, ...]:
        """The levels that this person would leave without a phone."""
        schedule, now = self._board.place.schedule, await read_clock(conn)
        if schedule is None:
            return ()
        standing_in = Override(0, rotation, user_id, now, now + timedelta(days=1), by, now)
        known = await oncall.list_overrides(conn)
        return tuple(levels_without_a_phone(schedule, now, known, standing_in))

    async def mark(self, thread_ts: str, message: MarkedMessage, *, is_marked: bool) -> None:
        """A message in an incident's thread carries a mark, or carries it no longer; any other message is ignored."""
        async with self._database.transaction() as conn:
            incident = await incidents.find_incident_of_message(conn, channel_id=message.channel_id, ts=thread_ts)
            if incident is None:
                return
            if is_marked:
                await _put_into_timeline(conn, incident, message, self._groups.workspace or "")
            else:
                await timeline.remove_mark(conn, incident_id=incident.id, channel_id=message.channel_id, ts=message.ts)
        await self.note_activity(incident)

    async def _act(self, event: str, incident_id: int, request: Request, act: Act) -> Outcome:
        person = person_of(request.actor)
        if person is None:
            raise OperatorError(
                f"Incident {incident_id} did not change",
                why="nobody knows who types on a terminal",
                what_next="Press the button in Slack, or type it there.",
            )
        verdict = may_respond(person, await self._groups.people(person.user_id), self._responders)
        async with self._database.transaction(timeout_s=TIMEOUT_S) as conn:
            incident = await acting.find(conn, incident_id)
            outcome = verdict if isinstance(verdict, Refused) else await act(self._board, conn, incident, person)
            refused = isinstance(outcome, Refused)
            details = {"why": outcome.why} if isinstance(outcome, Refused) else {}
            await self._audit(conn, f"{event}.refused" if refused else event, incident, person, details)
        self._board.told()
        return outcome

    async def _audit(
        self, conn: Connection, event: str, incident: Incident, person: Person | None, details: Mapping[str, object]
    ) -> None:
        shown = {"incident": incident.id, "team": person.team_id if person else None, **details}
        await append_audit(conn, actor=name_of(person), event=f"incident.{event}", run_id=None, details=shown)


async def _put_into_timeline(conn: Connection, incident: Incident, message: MarkedMessage, team_id: str) -> None:
    """Once a message, by whoever wrote it, at the moment when they did; masked, because it leaves the channel."""
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


async def _no_outage(user_id: str) -> bool:  # noqa: ARG001 - as the one that tells of outages
    return False
