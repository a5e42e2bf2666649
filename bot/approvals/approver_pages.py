"""Pages the approvers of a request during an incident."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.approvals.emergencies import covering_emergencies, find_emergency, whom_to_page, why_no_self_approval
from bot.approvals.rules import target_of
from bot.approvals.severities import read_emergencies, severities_of
from bot.config.environment import ChangeSettings
from bot.config.policy import Policy
from bot.people import People
from bot.views.pages import PagedApprovers, approver_page
from playbooks.freeze import EXCEPTION
from playbooks.model import Risk
from services.clients.postgres import runs
from services.clients.postgres.approvals import page_approvers
from services.clients.postgres.messages import store_message
from services.clients.postgres.notifications import store_notification
from services.clients.postgres.pool import Connection
from services.domain.channels import Channel
from services.domain.incidents import Incident
from services.domain.oncall import OnCallPerson, Schedule
from services.domain.people import Person
from services.domain.runs import Run, RunState
from services.domain.text import age

PAGE = 10  # priority in the outbox


@dataclass(frozen=True)
class ApproverPaging:
    """`silence` is how long approvers have to answer, `countdown` how long they have for a veto afterwards.

    schedule: how people are reached outside Slack, as far as an on-call file knows.
    """

    silence: timedelta
    countdown: timedelta
    schedule: Schedule | None = None

    @classmethod
    def of(cls, settings: ChangeSettings, schedule: Schedule | None = None) -> ApproverPaging:
        return cls(timedelta(seconds=settings.alone_after_s), timedelta(seconds=settings.alone_countdown_s), schedule)

    async def page(
        self, conn: Connection, run_id: int, person: Person | None, policy: Policy, people: People
    ) -> PagedApprovers | None:
        """Who is paged; None where no approval is needed, or where no open incident covers it.

        In the transaction that files the request, once its message is stored.
        """
        run = await runs.read_run(conn, run_id)
        if run is None or run.state is not RunState.AWAITING_APPROVAL:
            return None
        open_ones = await read_emergencies(conn)
        severities = severities_of(open_ones, run.environment, person)
        target = target_of(run, at=run.created_at, incidents=severities)
        emergencies = covering_emergencies(target, open_ones)
        if not emergencies:
            return None
        why_not = why_no_self_approval(
            person,
            target,
            Risk(run.risk),
            emergencies,
            policy,
            people,
            is_exception=EXCEPTION in run.parameters,
            starts_later=run.start_at is not None,
        )
        incident = find_emergency(person, emergencies) if why_not is None else emergencies[0].incident
        assert incident is not None  # noqa: S101 - self-approval needs one
        for_others = replace(target, incidents=severities_of(open_ones, run.environment))  # the requester's word counts
        paged = PagedApprovers(tuple(whom_to_page(person, for_others, policy, people)), self.silence, why_not)
        if paged.may_self_approve:
            await page_approvers(conn, run_id=run.id, incident_id=incident.id, silence=self.silence)
        await self._page(conn, run, incident, paged)
        return paged

    async def _page(self, conn: Connection, run: Run, incident: Incident, paged: PagedApprovers) -> None:
        """A direct message to each, and a page where there is a way; the run's message mentions them besides."""
        text, blocks = approver_page(run, incident.id, may_self_approve=paged.may_self_approve)
        without = f" If no approver responds within {age(self.silence)}, the requester can self-approve it."
        for user in paged.users:
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
                    text=f"{run.title}.{without if paged.may_self_approve else ' It waits for you.'}",
                    thread_key=run.message_key,
                )


def _outside(person: OnCallPerson | None) -> Iterator[tuple[Channel, str]]:
    if person and person.webhook:
        yield Channel.WEBHOOK, person.webhook
    if person and person.email:
        yield Channel.EMAIL, person.email
