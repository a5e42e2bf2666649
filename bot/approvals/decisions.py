"""Requests and the decisions on them: a locked run, what was decided, and the audit record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.admission import Count, times
from bot.approvals import rules
from bot.approvals.access import Allowed, Refused
from bot.approvals.rules import (
    NOT_READ,
    approvals_missing,
    may_cancel,
    may_confirm,
    may_decide,
    may_resolve,
    may_review,
)
from bot.approvals.severities import severities_within
from bot.config.policy import Policy, Severities
from bot.people import People
from bot.runs.message import RunMessageWriter, end_approver_pages
from bot.types import Actor
from playbooks.freeze import EXCEPTION
from playbooks.later import OPTIONS, start_of
from playbooks.plan import Plan, encode_plan
from playbooks.stored_steps import FORMAT, is_left_to_clean_up
from services.clients.postgres import approvals, runs
from services.clients.postgres.audit import append_audit
from services.clients.postgres.pool import Connection
from services.clients.postgres.runs import Resolution
from services.domain.errors import OperatorError, Unavailable, UsageError
from services.domain.people import Person
from services.domain.runs import UNDECIDED, WAITING, Decision, NewRun, Run, RunState, StepState


@dataclass(frozen=True)
class PendingDecision:
    """A run locked for a decision until the transaction ends. `now` is the database's clock."""

    conn: Connection
    run: Run
    decisions: Sequence[Decision]
    now: datetime
    person: Person
    policy: Policy
    people: People
    message_writer: RunMessageWriter
    incidents: Severities | Unavailable = NOT_READ
    count: Count | None = None  # limits the audit rows for refusals; None: one row per refusal

    @property
    def missing(self) -> int:
        """Number of approvals that are still missing."""
        return approvals_missing(self.run, self.decisions, self.policy, self.people)

    async def again(self) -> PendingDecision:
        """Read the run and its decisions again, after a write."""
        again = await open_decision(self.conn, self.run.id, self.person, self.policy, self.people, self.message_writer)
        return replace(again, count=self.count)

    async def set_state(self, to: RunState, outcome: str | None = None) -> None:
        """Move the run on from the state that was read. Raises OperatorError if it expired just now."""
        if not await runs.transition_run(self.conn, run_id=self.run.id, from_=[self.run.state], to=to, outcome=outcome):
            raise _too_late(self.run.id)
        if self.run.state in UNDECIDED:
            await end_approver_pages(self.conn, self.run.id)

    async def write_decision(self, *, approve: bool, reason: str) -> None:
        """Store the person's decision. Raises OperatorError if the run expired just now."""
        counts = await approvals.record_decision(
            self.conn,
            run_id=self.run.id,
            person=self.person,
            approve=approve,
            reason=reason,
            plan_hash=self.run.plan_hash,
            policy_hash=self.policy.hash,
        )
        if not counts:
            raise _too_late(self.run.id)

    async def record(self, event: str, details: Mapping[str, object] | None = None) -> Run:
        """Write the audit row, then the run's messages; return the run as it is now."""
        shown = {"plan": self.run.plan_hash, "policy": self.policy.hash, "team": self.person.team_id, **(details or {})}
        actor = self.person.user_id
        head = await append_audit(self.conn, actor=actor, event=event, run_id=self.run.id, details=shown)
        await self.message_writer.write(self.conn, self.run.id, head=head)
        return (await self.again()).run

    async def refuse(self, event: str, refused: Refused) -> Refused:
        """Record that a person tried something without permission: in a flood, one audit row per run and minute."""
        act = f"{event} {self.run.id}"
        count = self.count(self.person.user_id, act) if self.count else 1
        if count is None:
            return refused
        details = {"why": refused.why, "policy": self.policy.hash, "team": self.person.team_id, **times(count)}
        await append_audit(
            self.conn, actor=self.person.user_id, event=f"{event}.refused", run_id=self.run.id, details=details
        )
        return refused


async def open_decision(
    conn: Connection, run_id: int, person: Person, policy: Policy, people: People, message_writer: RunMessageWriter
) -> PendingDecision:
    """Lock and read the run for a decision. Raises UsageError if there is no such run."""
    now = await approvals.lock_run(conn, run_id)
    run = await runs.read_run(conn, run_id)
    if now is None or run is None:
        raise UsageError(f"There is no run {run_id}", why="no run has this number", what_next="`runs` lists them.")
    incidents = await severities_within(conn, policy, run.playbook, run.environment, person)
    decisions = await approvals.list_decisions(conn, run_id)
    return PendingDecision(conn, run, decisions, now, person, policy, people, message_writer, incidents)


def _too_late(run_id: int) -> OperatorError:
    return OperatorError(
        f"Run {run_id} did not change",
        why="it expired just now",
        what_next="`Request again` files a new one based on the current state.",
    )


@dataclass(frozen=True)
class Decided:
    """The decision was stored. `missing`: how many more have to approve. `notes`: which facts behind the right may be
    out of date."""

    run: Run
    missing: int = 0
    notes: tuple[str, ...] = ()


async def confirm(pending: PendingDecision) -> Decided | Refused:
    """Confirm a low-risk request, as its requester."""
    verdict = may_confirm(pending.run, pending.person, pending.now, pending.policy, pending.people, pending.incidents)
    if isinstance(verdict, Refused):
        return await pending.refuse("run.confirm", verdict)
    await pending.set_state(RunState.APPROVED)
    return Decided(await pending.record("run.confirmed"), notes=verdict.notes)


async def decide(pending: PendingDecision, *, approve: bool, reason: str, typed: str) -> Decided | Refused:
    """Approve or deny. One denial ends the request, the last approval lets it run."""
    verdict = may_decide(
        pending.run,
        pending.person,
        approve=approve,
        typed=typed,
        decisions=pending.decisions,
        now=pending.now,
        policy=pending.policy,
        people=pending.people,
        incidents=pending.incidents,
    )
    if isinstance(verdict, Refused):
        return await pending.refuse("run.approve" if approve else "run.deny", verdict)
    await pending.write_decision(approve=approve, reason=reason)
    return await (_approve(pending, verdict, reason) if approve else _deny(pending, verdict, reason))


async def cancel(pending: PendingDecision) -> Decided | Refused:
    """Cancel the run: a waiting or unknown one ends immediately; a running one is stopped by the replica that executes
    it."""
    verdict = may_cancel(pending.run, pending.person, pending.policy, pending.people)
    if isinstance(verdict, Refused):
        return await pending.refuse("run.cancel", verdict)
    await runs.request_cancel(pending.conn, run_id=pending.run.id, person=pending.person)
    if pending.run.state in WAITING:
        await pending.set_state(RunState.CANCELLED, "cancelled before it started")
    elif pending.run.state is RunState.UNKNOWN:
        await pending.set_state(RunState.CANCELLED, f"Cancelled. {_stored_outcome(pending)}")
    return Decided(await pending.record("run.cancelled"), notes=verdict.notes)


async def resolve_unknown(pending: PendingDecision, how: Resolution) -> Decided | Refused:
    """Mark every unknown step as the person says; the run continues, or fails if it is aborted.

    An aborted run that may have added data continues until that data is removed.
    """
    verdict = may_resolve(pending.run, pending.person, pending.policy, pending.people)
    if isinstance(verdict, Refused):
        return await pending.refuse("run.resolve", verdict)
    steps = await runs.read_steps(pending.conn, pending.run.id)
    unknown = [step.position for step in steps if step.state is StepState.UNKNOWN]
    for position in unknown:
        await runs.resolve_unknown_step(
            pending.conn, run_id=pending.run.id, position=position, person=pending.person, how=how
        )
    if how == "abort" and is_left_to_clean_up(steps):
        await pending.set_state(RunState.RUNNING, "Aborted. The data it added is removed first.")
    elif how == "abort":
        await pending.set_state(RunState.FAILED, f"Aborted. {_stored_outcome(pending)}")
    else:
        choice = "done" if how == "done" else "retry"
        await pending.set_state(RunState.RUNNING, f"The unknown step was marked: {choice}. The run continues.")
    return Decided(await pending.record("run.resolved", {"how": how, "steps": unknown}), notes=verdict.notes)


def _stored_outcome(pending: PendingDecision) -> str:
    """The outcome stored when the run became unknown: at which step, and in which state it left the services."""
    return pending.run.outcome or "The outcome of a step stayed unknown."


async def close_review(pending: PendingDecision, note: str) -> Decided | Refused:
    """Close the review; the reviewer and their note stay in the run's message and in the audit log."""
    review = await approvals.read_review(pending.conn, pending.run.id)
    verdict = may_review(pending.run, review, pending.person, pending.policy, pending.people)
    if isinstance(verdict, Refused):
        return await pending.refuse("run.review", verdict)
    await approvals.close_review(pending.conn, run_id=pending.run.id, person=pending.person, note=note)
    return Decided(await pending.record("run.reviewed", _audit_details(verdict, note)), notes=verdict.notes)


async def _approve(pending: PendingDecision, verdict: Allowed, reason: str) -> Decided:
    missing = (await pending.again()).missing
    if missing == 0:
        await pending.set_state(RunState.APPROVED)
    run = await pending.record("run.approved", _audit_details(verdict, reason) | {"missing": missing})
    return Decided(run, missing, verdict.notes)


async def _deny(pending: PendingDecision, verdict: Allowed, reason: str) -> Decided:
    await pending.set_state(RunState.CANCELLED, f"denied: {reason}" if reason else "denied")
    return Decided(await pending.record("run.denied", _audit_details(verdict, reason)), notes=verdict.notes)


def _audit_details(verdict: Allowed, reason: str) -> dict[str, object]:
    """Audit details of a decision: the rules that permitted it, and the person's reason."""
    return {"reason": reason, "rules": list(verdict.rules), "notes": list(verdict.notes)}


TERMINAL = "terminal"  # the audit log's word for an unknown requester


def new_run(
    plan: Plan, person: Person | None, policy: Policy, *, channel: str, reason: str, delivery: str | None
) -> NewRun:
    """Turn the plan into a run that waits, or that is approved already if it needs no approval. `person`: None on the
    terminal."""
    is_exception = EXCEPTION in plan.parameters
    needs = rules.needs(plan.risk, has_requester=rules.is_known(person), is_exception=is_exception)
    return NewRun(
        environment=plan.environment,
        playbook=plan.playbook,
        parameters=plan.parameters,
        plan=encode_plan(plan),
        plan_hash=plan.hash,
        risk=plan.risk.value,
        title=plan.title,
        services=tuple(sorted(service.value for service in plan.services)),
        requested_by=person,
        reason=reason,
        channel=channel,
        approvals_needed=needs.approvals,
        expires_at_s=policy.expires_after.total_seconds(),
        state=needs.first_state,
        kinds=tuple(sorted({*(type(step).__name__ for step in plan.steps), *OPTIONS.intersection(plan.parameters)})),
        format=FORMAT,
        delivery=delivery,
        start_at=start_of(plan.parameters),
    )


def audit_details(plan: Plan, person: Person | None, policy: Policy) -> dict[str, object]:
    """Audit details of a request."""
    return {
        "playbook": plan.playbook,
        "parameters": dict(plan.parameters),
        "environment": plan.environment,
        "risk": plan.risk.value,
        "title": plan.title,
        "plan": plan.hash,
        "policy": policy.hash,
        "team": person.team_id if person else None,
    }


def person_of(actor: Actor | None) -> Person | None:
    """The person who acts; None on the terminal, which does not identify people."""
    return Person(actor.user_id, actor.team_id) if actor else None


def name_of(person: Person | None) -> str:
    """The name that the audit log gives this person."""
    return person.user_id if person else TERMINAL
