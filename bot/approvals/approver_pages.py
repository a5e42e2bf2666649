"""Pages the approvers of a request during an incident, a limited number of times per requester.

Later requests share one message. A request that pages no one can't be self-approved, so that it can't be hidden behind
others. The emergency stop needs no approver and pages none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.approvals.access import approver_ids
from bot.approvals.emergencies import covering_emergencies, find_emergency, whom_to_page, why_no_self_approval
from bot.approvals.rules import target_of
from bot.approvals.severities import read_emergencies, severities_of
from bot.config.behavior import ChangeSettings
from bot.config.policy import Policy
from bot.people import People
from bot.views.pages import PagedApprovers, approver_page, more_requests
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
from services.domain.runs import NewRun, Run, RunState, run_message_key
from services.domain.text import age

PAGE = 10  # priority in the outbox
PAGED_AT_ONCE = 3  # unanswered requests of one person; further ones page no one
PAGED_WITHIN = timedelta(minutes=15)  # how long each of them counts


async def limit_pages(conn: Connection, new: NewRun) -> tuple[NewRun, tuple[int, ...]]:
    """Return the request as it is to be filed and, if it pages no one, the same person's unanswered requests, newest
    first.

    Call it in the transaction that files the request. Requests from terminals, which do not identify people, have no
    limit.
    """
    person = new.requested_by
    if not new.approvals_needed or person is None:
        return new, ()
    unanswered = await runs.list_unanswered_requests(
        conn, person, environment=new.environment, window=PAGED_WITHIN, limit=PAGED_AT_ONCE
    )
    if len(unanswered) < PAGED_AT_ONCE:
        return new, ()
    return replace(new, pages_approvers=False), tuple(unanswered)


@dataclass(frozen=True)
class ApproverPaging:
    """Settings for paging approvers. `silence`: how long they have to answer; `countdown`: how long they then have for
    a veto.

    `schedule`: the on-call file's addresses of people outside Slack, if there is such a file.
    """

    silence: timedelta
    countdown: timedelta
    schedule: Schedule | None = None

    @classmethod
    def of(cls, settings: ChangeSettings, schedule: Schedule | None = None) -> ApproverPaging:
        return cls(timedelta(seconds=settings.alone_after_s), timedelta(seconds=settings.alone_countdown_s), schedule)

    async def page(
        self,
        conn: Connection,
        run_id: int,
        person: Person | None,
        policy: Policy,
        people: People,
        unanswered: Sequence[int] = (),
    ) -> PagedApprovers | None:
        """Page the approvers, and return whom; None if no approval is needed or no open incident covers the request.

        Call it in the transaction that files the request, once its message is stored. `unanswered`: see `limit_pages`.
        """
        run = await runs.read_run(conn, run_id)
        if run is None or run.state is not RunState.AWAITING_APPROVAL:
            return None
        open_ones = await read_emergencies(conn)
        severities = severities_of(open_ones, run.environment, person)
        target = target_of(run, at=run.created_at, incidents=severities)
        emergencies = covering_emergencies(target, open_ones)
        if unanswered:
            for_others = replace(target, incidents=severities_of(open_ones, run.environment))
            users = whom_to_page(person, for_others, policy, people) if emergencies else ()
            await _add_to_shared_message(conn, run, unanswered[0], users, approver_ids(target, policy))
            return PagedApprovers(tuple(users), self.silence, "no one was paged", tuple(unanswered))
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
        for_others = replace(target, incidents=severities_of(open_ones, run.environment))  # all reports count
        paged = PagedApprovers(tuple(whom_to_page(person, for_others, policy, people)), self.silence, why_not)
        if paged.may_self_approve:
            await page_approvers(conn, run_id=run.id, incident_id=incident.id, silence=self.silence)
        await self._page(conn, run, incident, paged)
        return paged

    async def _page(self, conn: Connection, run: Run, incident: Incident, paged: PagedApprovers) -> None:
        """Send each approver a direct message, and a page if the schedule has an address; the run's message mentions
        them too."""
        text, blocks = approver_page(run, incident.id, may_self_approve=paged.may_self_approve)
        without = f" If no approver responds within {age(self.silence)}, the requester can self-approve it."
        for user in paged.users:
            key = f"{run.message_key}:call:{user}"
            await store_message(conn, key=key, channel=user, text=text, blocks=blocks, priority=PAGE)
            for means, target in _channels_of(self.schedule.person_of(user) if self.schedule else None):
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


async def _add_to_shared_message(
    conn: Connection, run: Run, after: int, users: Sequence[str], approvers: Sequence[str]
) -> None:
    """Store one message below `after`, the last request that paged its approvers, and one to each of `users`, who are
    paged directly in an incident. Without `users`, the first one mentions the approvers. Edits notify no one."""
    count = await runs.count_requests_after(conn, run_id=after, person=run.requested_by)
    key = f"{run_message_key(after)}:more"
    text, blocks = more_requests(run, count, () if users else approvers)
    await store_message(conn, key=key, channel=run.channel, text=text, blocks=blocks, thread_key=run_message_key(after))
    for user in users:
        text, blocks = more_requests(run, count)
        await store_message(conn, key=f"{key}:{user}", channel=user, text=text, blocks=blocks)


def _channels_of(person: OnCallPerson | None) -> Iterator[tuple[Channel, str]]:
    if person and person.webhook:
        yield Channel.WEBHOOK, person.webhook
    if person and person.email:
        yield Channel.EMAIL, person.email
