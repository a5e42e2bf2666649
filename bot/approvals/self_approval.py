"""The course of an emergency self-approval: offered, counting down, started or withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bot.approvals.access import Refused, Verdict
from bot.approvals.decisions import Decided, PendingDecision, open_decision
from bot.approvals.emergencies import may_self_approve
from bot.approvals.reminders import REMIND_AFTER
from bot.approvals.severities import read_emergencies
from bot.config.fields import Invalid
from bot.config.policy import Policy
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.runs.message import RunMessageWriter
from bot.slack_directory import Groups
from services.clients.postgres import approvals, runs
from services.clients.postgres.approvals import list_waiting_lone_starts
from services.clients.postgres.pool import Database
from services.clients.postgres.queries import read_clock
from services.domain.runs import RunState, SelfApproval


async def begin_countdown(pending: PendingDecision, reason: str, countdown: timedelta) -> Decided | Refused:
    """Begin the countdown with the requester's reason; the run's message shows until when it can be vetoed."""
    verdict = await may_begin(pending, countdown)
    if isinstance(verdict, Refused):
        return await pending.refuse("run.alone", verdict)
    ends_at = await approvals.begin_countdown(pending.conn, run_id=pending.run.id, reason=reason, countdown=countdown)
    if ends_at is None:
        return await pending.refuse(
            "run.alone", Refused("its countdown is already running", "It starts when the countdown ends.")
        )
    return Decided(await pending.record("run.alone", {"reason": reason, "starts_at": ends_at.isoformat()}))


async def offer(pending: PendingDecision) -> None:
    """Show the self-approval button in the run's message: the approvers' time to answer is over."""
    await approvals.note_offer(pending.conn, pending.run.id)
    await pending.message_writer.write(pending.conn, pending.run.id)


async def end_countdown(pending: PendingDecision) -> None:
    """Start the run and open its review, as no approver vetoed it; not if the requester has lost the right."""
    verdict = await may_begin(pending, timedelta())
    if isinstance(verdict, Refused):
        await pending.refuse("run.alone", verdict)
        await approvals.end_countdown(pending.conn, pending.run.id)
        await pending.message_writer.write(pending.conn, pending.run.id)
        return
    await pending.set_state(RunState.APPROVED)
    await approvals.ask_for_review(
        pending.conn, run_id=pending.run.id, acted_by=pending.person, remind_after=REMIND_AFTER
    )
    await pending.record("run.started_alone", {"rules": list(verdict.rules), "notes": list(verdict.notes)})


async def may_begin(pending: PendingDecision, countdown: timedelta) -> Verdict:
    """Judge whether this person may begin the countdown or, with a countdown of 0, whether the run may start at its
    end."""
    self_approval = await approvals.read_lone_start(pending.conn, pending.run.id)
    open_ones = {one.incident.id: one for one in await read_emergencies(pending.conn)}
    return may_self_approve(
        pending.run,
        self_approval,
        open_ones.get(self_approval.incident_id) if self_approval else None,
        pending.person,
        decisions=pending.decisions,
        now=pending.now,
        countdown=countdown,
        policy=pending.policy,
        people=pending.people,
        incidents=pending.incidents,
    )


class SelfApprovals(PeriodicTask):
    """Offers self-approval and ends countdowns when they are due. Looks the requester up in Slack before each
    transaction."""

    name = "emergency self-approval"

    def __init__(
        self,
        database: Database,
        policy: Callable[[], Policy | Invalid],
        groups: Groups,
        message_writer: RunMessageWriter,
    ) -> None:
        self._wake_ups = message_writer.wake_ups
        super().__init__(self._wake_ups.runs)
        self._database = database
        self._policy = policy
        self._groups = groups
        self._message_writer = message_writer

    async def tick(self, fence: Fence) -> float:
        async with self._database.read() as conn:
            waiting = await list_waiting_lone_starts(conn)
            if not waiting:
                return self._wake_ups.poll_s
            now = await read_clock(conn)
        waits = {
            self_approval: (self_approval.due_at - now).total_seconds()
            for self_approval in waiting
            if self_approval.due_at is not None
        }
        for self_approval, wait_s in waits.items():
            if wait_s <= 0:
                await self._begin(fence, self_approval)
        return min([self._wake_ups.poll_s, *(wait_s for wait_s in waits.values() if wait_s > 0)])

    async def _begin(self, fence: Fence, self_approval: SelfApproval) -> None:
        async with self._database.read() as conn:
            run = await runs.read_run(conn, self_approval.run_id)
        policy = self._policy()
        if run is None or run.requested_by is None or isinstance(policy, Invalid):
            return
        person = run.requested_by
        people = await self._groups.people(person.user_id)
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            pending = await open_decision(conn, self_approval.run_id, person, policy, people, self._message_writer)
            if self_approval.starts_at is not None and self_approval.starts_at <= pending.now:
                await end_countdown(pending)
            else:
                await offer(pending)
        self._wake_ups.outbox.set()
