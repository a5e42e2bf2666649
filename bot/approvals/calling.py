"""Calls the approvers of a request inside an incident; some requesters may start it alone, should nobody answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from bot.approvals import alone
from bot.approvals.decide import target_of
from bot.approvals.emergencies import read_emergency
from bot.approvals.people import People
from bot.approvals.policy import Policy
from bot.settings import ChangeSettings
from bot.views.calls import Called, call_message, call_over
from playbooks._contract import Risk
from services.domain.incidents import Incident
from services.domain.notifications import Means, PageEvent
from services.domain.oncall import OnCallPerson, Schedule
from services.domain.runs import Person, Run, RunState
from services.domain.words import age
from services.postgres import runs
from services.postgres.approvals import list_decisions
from services.postgres.incidents import list_open_incidents
from services.postgres.lone_starts import call_approvers
from services.postgres.notifications import end_pages, store_notification
from services.postgres.outbox import replace_messages, store_message
from services.postgres.pool import Connection

PAGE = 10  # priority in the outbox


@dataclass(frozen=True)
class Calling:
    """`silence` is how long approvers have to answer, `countdown` how long they have for a veto afterwards.

    schedule: how people are reached outside Slack, as far as an on-call file knows.
    """

    silence: timedelta
    countdown: timedelta
    schedule: Schedule | None = None

    @classmethod
    def of(cls, settings: ChangeSettings, schedule: Schedule | None = None) -> Calling:
        return cls(timedelta(seconds=settings.alone_after_s), timedelta(seconds=settings.alone_countdown_s), schedule)

    async def call(
        self, conn: Connection, run_id: int, person: Person | None, policy: Policy, people: People
    ) -> Called | None:
        """Who is called; None where nobody has to approve it, or where no open incident covers it.

        In the transaction that files the request, once its message is stored.
        """
        run = await runs.read_run(conn, run_id)
        if run is None or run.state is not RunState.AWAITING_APPROVAL:
            return None
        target = target_of(run)
        covering = alone.covering_incidents(target, await list_open_incidents(conn))
        emergencies = [await read_emergency(conn, one) for one in covering]
        if not emergencies:
            return None
        why_not = alone.why_not_alone(person, target, Risk(run.risk), emergencies, policy, people)
        incident = alone.find_emergency(person, emergencies) if why_not is None else covering[0]
        assert incident is not None  # noqa: S101 - nobody starts anything alone without one
        called = Called(tuple(alone.who_to_call(person, target, policy, people)), self.silence, why_not)
        if called.may_start_alone:
            await call_approvers(conn, run_id=run.id, incident_id=incident.id, silence=self.silence)
        await self._call(conn, run, incident, called)
        return called

    async def _call(self, conn: Connection, run: Run, incident: Incident, called: Called) -> None:
        """A direct message to each, and a page where there is a way; the run's message mentions them besides."""
        text, blocks = call_message(run, incident.id, may_start_alone=called.may_start_alone)
        without = f" Without an answer within {age(self.silence)} it may be started alone."
        for user in called.users:
            key = f"{run.message_key}:call:{user}"
            await store_message(conn, key=key, channel=user, text=text, blocks=blocks, priority=PAGE)
            for means, target in _outside(self.schedule.person_of(user) if self.schedule else None):
                subject = f"{run.environment}: run {run.id} needs an approver, incident {incident.id}"
                await store_notification(
                    conn,
                    key=f"{key}:{means}",
                    means=means,
                    target=target,
                    subject=subject,
                    text=f"{run.title}.{without if called.may_start_alone else ' It waits for you.'}",
                    thread_key=run.message_key,
                )


async def end_calls(conn: Connection, run_id: int) -> None:
    """Nobody has to decide on it any more: pagers that ring are told, whoever was not told yet never is, and the direct
    messages say how it was decided."""
    run = await runs.read_run(conn, run_id)
    if run is None:
        return
    text, blocks = call_over(run, await list_decisions(conn, run_id))
    prefix = f"{run.message_key}:call:"
    await replace_messages(conn, key_prefix=prefix, since=run.created_at, text=text, blocks=blocks)
    await end_pages(
        conn,
        key_prefix=prefix,
        thread_key=run.message_key,
        event=PageEvent.RESOLVED,
        subject=f"OVER {run.environment}: run {run.id} needs no approver any more",
        text=f"{run.title}. Nothing is asked of you any more.",
    )


def _outside(person: OnCallPerson | None) -> Iterator[tuple[Means, str]]:
    if person and person.webhook:
        yield Means.WEBHOOK, person.webhook
    if person and person.email:
        yield Means.EMAIL, person.email
