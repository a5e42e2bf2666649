"""Calls the approvers of a request that its requester may start alone, should nobody answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.approvals import alone
from bot.approvals.decide import target_of
from bot.approvals.emergencies import read_emergency
from bot.approvals.people import People
from bot.approvals.policy import Policy
from bot.settings import ChangeSettings
from bot.views.calls import call_message
from playbooks._contract import Risk
from services.domain.incidents import Incident
from services.domain.notifications import Means, PageEvent
from services.domain.oncall import OnCallPerson, Schedule
from services.domain.runs import Person, Run
from services.domain.words import age
from services.postgres import runs
from services.postgres.incidents import list_open_incidents
from services.postgres.lone_starts import call_approvers
from services.postgres.notifications import end_pages, store_notification
from services.postgres.outbox import store_message
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

    async def call(self, conn: Connection, run_id: int, person: Person | None, policy: Policy, people: People) -> bool:
        """Whether they are called: where the requester may start it alone, should nobody answer.

        In the transaction that files the request, once its message is stored.
        """
        run = await runs.read_run(conn, run_id)
        if run is None or run.playbook not in alone.VERBS:
            return False
        target = target_of(run)
        covering = alone.covering_incidents(target, await list_open_incidents(conn))
        incident = alone.find_emergency(person, [await read_emergency(conn, one) for one in covering])
        users = alone.who_to_call(person, target, Risk(run.risk), incident, policy, people)
        if incident is None or users is None:
            return False
        await self._call(conn, run, incident, users)
        return True

    async def _call(self, conn: Connection, run: Run, incident: Incident, users: Sequence[str]) -> None:
        """A direct message to each, and a page where there is a way; the run's message mentions them besides."""
        await call_approvers(conn, run_id=run.id, incident_id=incident.id, silence=self.silence)
        text, blocks = call_message(run, incident.id)
        for user in users:
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
                    text=f"{run.title}. Without an answer within {age(self.silence)} it may be started alone.",
                    thread_key=run.message_key,
                )


async def end_calls(conn: Connection, run: Run) -> None:
    """Nobody has to decide on it any more: pagers that ring are told, and whoever was not told yet never is."""
    await end_pages(
        conn,
        key_prefix=f"{run.message_key}:call:",
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
