"""The approval service: files requests and records decisions, one transaction per state change.

Slack accounts are looked up before the transaction begins. Of two people who decide at the same moment, on any
replicas, the second sees the first decision: the run is locked, and every change of state is compare-and-set.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot import tracing
from bot.admission import AuditLimit, times
from bot.approvals import decisions, revoked, rules, self_approval
from bot.approvals.access import Allowed, Refused, Verdict, judge_anywhere
from bot.approvals.approver_pages import ApproverPaging, limit_pages
from bot.approvals.decisions import Decided, PendingDecision, audit_details, name_of, new_run, open_decision, person_of
from bot.approvals.dialogs import Dialog, open_dialog
from bot.approvals.late_requests import EVERY_S, LateRequests
from bot.approvals.reminders import REMIND_AFTER
from bot.approvals.rules import NOT_READ
from bot.approvals.severities import read_severities
from bot.config.behavior import ChangeSettings
from bot.config.fields import Invalid
from bot.config.policy import Policy, Right, Severities, Target
from bot.people import People
from bot.runs.emergency_stop import EmergencyNotices, Notice, join
from bot.runs.message import RunMessageWriter
from bot.slack_directory import Groups
from bot.types import Actor, Request
from bot.views.pages import PagedApprovers
from bot.views.plan import stopping_notice
from bot.writes import write
from playbooks.freeze import EXCEPTION
from playbooks.later import asked_again, start_of
from playbooks.model import NoPlan, Risk
from playbooks.plan import Plan
from playbooks.stored_steps import encode_step
from services.clients.postgres import approvals, runs
from services.clients.postgres.audit import append_audit
from services.clients.postgres.incidents import find_incident_of_message
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.runs import Resolution
from services.domain.errors import Choice, OperatorError, SourceError, Unavailable
from services.domain.incidents import Incident, IncidentState
from services.domain.people import Person
from services.domain.runs import NewRun, Run, RunState
from services.domain.services import Service

logger = logging.getLogger(__name__)


TIMEOUT_S = 10.0
BREAK_GLASS_TIMEOUT_S = 1.5  # a break-glass change does not wait longer for a database that is away
DIALOG_TIMEOUT_S = 2.0  # Slack opens a dialog within 3 s of the click
REASON_LIMIT = 500  # characters
FILED_AT_MOST, FILED_WITHIN = 30, timedelta(minutes=10)  # by one person

OnRequest = Callable[[Run, Person, People], Awaitable[Sequence[Incident]]]
MakePlan = Callable[[str, Mapping[str, str]], Awaitable[Plan | NoPlan]]  # from the playbook and its parameters


@dataclass(frozen=True)
class Filed:
    """A filed request. `paged`: the paged approvers; None if no page is needed. `incident`: in whose thread it is
    shown. `acknowledged`: incidents that paged the requester and that they own now."""

    run: Run
    paged: PagedApprovers | None = None
    incident: Incident | None = None
    acknowledged: Sequence[Incident] = ()


async def nothing_is_acknowledged(run: Run, person: Person, people: People) -> Sequence[Incident]:  # noqa: ARG001
    """Acknowledge no incident: the default of `on_request`."""
    return ()


class ApprovalService:
    """Files and decides requests; one per process. `channel`: where requests are shown. `approver_paging`: how
    approvers are paged in an incident.

    `on_request` is called once a person's request is stored; the wiring replaces it with that of the incidents.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy | Invalid,
        groups: Groups,
        message_writer: RunMessageWriter,
        *,
        channel: str,
        approver_paging: ApproverPaging | None = None,
        late_s: float = EVERY_S,
        notices: EmergencyNotices | None = None,
        audit_limit: AuditLimit | None = None,
        most_requests: int = FILED_AT_MOST,
    ) -> None:
        self.policy = policy
        self._database = database
        self.groups = groups
        self._message_writer = message_writer
        self._channel = channel
        self.approver_paging = approver_paging or ApproverPaging.of(ChangeSettings())
        self._late = LateRequests(every_s=late_s)
        self._notices = notices
        self._most_requests = most_requests
        self._audit_limit = audit_limit or AuditLimit(time.monotonic)
        self.on_request: OnRequest = nothing_is_acknowledged

    async def file(self, plan: Plan, request: Request, *, reason: str = "", notice: Notice | None = None) -> Run:
        """Like `request`, but return only the run."""
        return (await self.request(plan, request, reason=reason, notice=notice)).run

    async def request(self, plan: Plan, request: Request, *, reason: str = "", notice: Notice | None = None) -> Filed:
        """File the plan: it waits for approval or confirmation, or is approved already if it needs no approval.

        One delivery files one run: if an earlier attempt filed it and its answer was lost, that run is returned.
        `notice`: the announcement that the channel already has; it becomes the run's message.

        Raises OperatorError for a requester without permission and for a plan that no one could approve, SourceError if
        the database is away (within 1.5 s for a break-glass change).
        """
        policy, person = self._usable_policy(), person_of(request.actor)
        people = await self.groups.people(person.user_id if person else None)
        allowed = await self._permit(plan, request, person, policy, people)
        await self._refuse_flood(plan, request, person, policy)
        new = new_run(plan, person, policy, channel=self._channel, reason=_short(reason), delivery=request.delivery)
        details = audit_details(plan, person, policy) | {"reason": new.reason, "rules": list(allowed.rules)}
        timeout_s = BREAK_GLASS_TIMEOUT_S if plan.risk is Risk.BREAK_GLASS else TIMEOUT_S
        async with self._database.transaction(timeout_s=timeout_s) as conn:
            new, unanswered = await limit_pages(conn, new)
            run_id = await runs.create_run(conn, new, [encode_step(step) for step in plan.steps])
            if run_id is None:
                return Filed(await self._filed_before(conn, new, notice))
            if (context := tracing.traceparent()) is not None:
                await runs.note_traceparent(conn, run_id=run_id, traceparent=context)
            if notice is not None:
                await join(conn, await _read(conn, run_id), notice)
            if person is not None and plan.risk is Risk.BREAK_GLASS:
                await approvals.ask_for_review(conn, run_id=run_id, acted_by=person, remind_after=REMIND_AFTER)
            head = await append_audit(conn, actor=name_of(person), event="run.filed", run_id=run_id, details=details)
            incident = await _incident_of(conn, request)
            thread_key = incident.message_key if incident else None
            await self._message_writer.write(conn, run_id, head=head, thread_key=thread_key)
            paged = await self.approver_paging.page(
                conn, run_id, person, policy, people, unanswered
            )  # pages refer to the run's message
            if paged is not None:
                await self._message_writer.write(conn, run_id, head=head)
            run = await _read(conn, run_id)
        self._message_writer.wake_ups.outbox.set()
        if person is None or person.is_machine:
            return Filed(run, paged, incident)
        acknowledged = await self.on_request(run, person, people)
        return Filed(run, paged, incident, acknowledged)

    async def refuse_early(
        self,
        playbook: str,
        services: Iterable[Service],
        environment: str,
        request: Request,
        *,
        at: datetime | None = None,
    ) -> None:
        """Raise OperatorError for a person who may not request any plan of this playbook, before anything is read or a
        dialog opens. `request` makes the final check. `at`: when it is to start; None: now."""
        policy, person = self._usable_policy(), person_of(request.actor)
        if person is None:
            return
        people = await self.groups.people(person.user_id)
        moment = at or datetime.now(UTC)
        target = Target(*(playbook, frozenset(services), environment), channel=request.channel_id, at=moment)
        verdict = await self.judge_now(
            lambda target: judge_anywhere(Right.REQUEST, person, target, policy, people), target, policy, person
        )
        if isinstance(verdict, Refused):
            details = {"playbook": playbook, "environment": environment, "team": person.team_id, "policy": policy.hash}
            await self.record_refusal(person, playbook, details, verdict)
            raise _not_filed(playbook, verdict)

    async def announce(self, plan: Plan, request: Request, *, reason: str = "") -> Notice | None:
        """Announce an emergency stop without the database; None when it can't be announced."""
        if self._notices is None:
            return None
        content = stopping_notice(plan, person_of(request.actor), _short(reason))
        return await self._notices.post(content, delivery=request.delivery)

    async def announce_outcome(
        self, notice: Notice, plan: Plan, request: Request, lines: Sequence[tuple[bool, str]], *, reason: str = ""
    ) -> None:
        """Edit the announcement to show the outcome per service. `lines` as in `stopping_notice`."""
        if self._notices is not None:
            content = stopping_notice(plan, person_of(request.actor), _short(reason), lines)
            await self._notices.edit(notice, content)

    def file_later(self, plan: Plan, request: Request, *, reason: str = "", notice: Notice | None = None) -> None:
        """File an emergency stop that was done without the database, once the database is back."""
        policy, person = self._usable_policy(), person_of(request.actor)
        self._late.later(
            lambda: self.file(plan, request, reason=reason, notice=notice),
            lambda: self._record(
                person, "run.done_without_journal", audit_details(plan, person, policy) | {"reason": reason}
            ),
            within_s=policy.expires_after.total_seconds(),
        )

    async def why_revoked(self, run: Run) -> str | None:
        """Return why a scheduled run may not start, see `revoked.why_revoked`. Raises SourceError if that is not
        known."""
        if isinstance(self.policy, Invalid):
            raise SourceError("the policy", self.policy.why, retryable=True)
        return await revoked.why_revoked(run, self.policy, self.groups, self._database)

    async def aclose(self) -> None:
        """Give up the requests that could not be filed yet."""
        await self._late.aclose()

    async def confirm(self, run_id: int, actor: Actor) -> Decided | Refused:
        """Confirm a low-risk request, as its requester."""
        async with self._pending(run_id, actor, lets_start=True) as pending:
            return await decisions.confirm(pending)

    async def decide(
        self, run_id: int, actor: Actor, *, approve: bool, reason: str = "", typed: str = ""
    ) -> Decided | Refused:
        """Approve or deny. `typed`: the phrase typed for a critical change, see `rules.confirmation_phrase`."""
        async with self._pending(run_id, actor, lets_start=approve) as pending:
            return await decisions.decide(pending, approve=approve, reason=_short(reason), typed=typed)

    async def cancel(self, run_id: int, actor: Actor) -> Decided | Refused:
        """Cancel the run: immediately while it waits or is unknown; a running one is stopped after its current step by
        the replica that executes it."""
        async with self._pending(run_id, actor) as pending:
            return await decisions.cancel(pending)

    async def resolve_unknown(self, run_id: int, actor: Actor, how: Resolution) -> Decided | Refused:
        """Resolve the step that could not be read back; the run continues, or ends if it is aborted."""
        async with self._pending(run_id, actor) as pending:
            return await decisions.resolve_unknown(pending, how)

    async def open_dialog(self, run_id: int, actor: Actor, dialog: Dialog) -> Run | Refused:
        """Return the run if this person could submit such a dialog about it, else the refusal; called before the dialog
        opens.

        Raises OperatorError if that is not known before Slack's time for opening it is over, SourceError if the
        database is away.
        """
        try:
            async with asyncio.timeout(DIALOG_TIMEOUT_S), self._pending(run_id, actor) as pending:
                return await open_dialog(pending, dialog, self.approver_paging.countdown)
        except TimeoutError as error:
            raise OperatorError(
                "The dialog did not open, and nothing was decided",
                why=f"your permission could not be checked within {DIALOG_TIMEOUT_S:g} s",
                what_next="Press the button again.",
            ) from error

    async def self_approve(self, run_id: int, actor: Actor, reason: str) -> Decided | Refused:
        """Begin the countdown of a self-approval, in which approvers can veto the run."""
        async with self._pending(run_id, actor, lets_start=True) as pending:
            return await self_approval.begin_countdown(pending, _short(reason), self.approver_paging.countdown)

    async def review(self, run_id: int, actor: Actor, note: str) -> Decided | Refused:
        """Close the review of a run without approval. `note`: the findings of the reviewer, who did not run it."""
        async with self._pending(run_id, actor) as pending:
            return await decisions.close_review(pending, _short(note))

    async def ask_again(self, run_id: int, request: Request, make_plan: MakePlan) -> Filed | NoPlan:
        """Request an expired or voided run again, planned from the current state. Raises OperatorError as `request`
        does."""
        async with self._database.read() as conn:
            run = await runs.read_run(conn, run_id)
        if run is None or run.state not in (RunState.EXPIRED, RunState.VOIDED):
            raise OperatorError(
                f"Run {run_id} cannot be requested again",
                why="only expired and voided requests can",
                what_next=f"`run {run_id}` shows what was requested: type it again.",
            )
        plan = await make_plan(run.playbook, asked_again(run.parameters, datetime.now(UTC)))
        return plan if isinstance(plan, NoPlan) else await self.request(plan, request, reason=run.reason)

    async def people(self, user_id: str | None = None) -> People:
        """Return the workspace's people and groups, as far as Slack reports them now; with `user_id`, including that
        account."""
        return await self.groups.people(user_id)

    async def severities(
        self, policy: Policy, verb: str, environment: str, person: Person | None
    ) -> Severities | Unavailable | None:
        """Severities of the open incidents if a rule about the verb asks for them; see `Target.incidents`."""
        return await read_severities(self._database, policy, verb, environment, person)

    async def judge_now(
        self, judge: Callable[[Target], Verdict], target: Target, policy: Policy, person: Person | None
    ) -> Verdict:
        """Return the verdict, with the severities of the open incidents if it depends on them.

        A target that is allowed while they are unknown is allowed whatever they are, so an emergency stop waits for no
        database.
        """
        verdict = judge(replace(target, incidents=NOT_READ))
        if isinstance(verdict, Allowed):
            return verdict
        incidents = await self.severities(policy, target.playbook, target.environment, person)
        return verdict if incidents is None else judge(replace(target, incidents=incidents))

    async def _filed_before(self, conn: Connection, new: NewRun, notice: Notice | None) -> Run:
        """Return the run that the same delivery has filed."""
        run_id = await runs.find_run_of_delivery(conn, delivery=new.delivery or "")
        assert run_id is not None  # noqa: S101 - its delivery kept ours from being filed
        run = await _read(conn, run_id)
        if notice is not None:
            await join(conn, run, notice)
            self._message_writer.wake_ups.outbox.set()
        return run

    async def _permit(
        self, plan: Plan, request: Request, person: Person | None, policy: Policy, people: People
    ) -> Allowed:
        moment = start_of(plan.parameters) or datetime.now(UTC)
        is_exception = EXCEPTION in plan.parameters

        def may_request(target: Target) -> Verdict:
            return rules.may_request(person, target, plan.risk, policy, people, is_exception=is_exception)

        target = Target.of(plan, channel=request.channel_id, at=moment)
        verdict = await self.judge_now(may_request, target, policy, person)
        if isinstance(verdict, Refused):
            await self.record_refusal(person, plan.playbook, audit_details(plan, person, policy), verdict)
            raise _not_filed(plan.playbook, verdict)
        return verdict

    async def _refuse_flood(self, plan: Plan, request: Request, person: Person | None, policy: Policy) -> None:
        """Raise OperatorError for a person who filed too many requests: each is a message to everyone, and a line in
        its incident's timeline. Machines have their own rate limit, and the emergency stop is never refused."""
        if person is None or person.is_machine or plan.risk is Risk.BREAK_GLASS:
            return
        async with self._database.read() as conn:
            filed = await runs.count_requests(
                conn, user_id=person.user_id, window=FILED_WITHIN, delivery=request.delivery
            )
        if filed >= self._most_requests:
            minutes = int(FILED_WITHIN.total_seconds() // 60)
            refused = Refused(
                f"you filed {filed} requests within {minutes} min",
                "Wait a few minutes, or ask another person. `stop-workers` is never refused for this.",
            )
            await self.record_refusal(person, plan.playbook, audit_details(plan, person, policy), refused)
            raise _not_filed(plan.playbook, refused)

    @asynccontextmanager
    async def _pending(self, run_id: int, actor: Actor, *, lets_start: bool = False) -> AsyncIterator[PendingDecision]:
        """Lock the run in a transaction that commits at the end; messages are sent then. `lets_start`: raise
        OperatorError if the database belongs to another system than the bot was installed for."""
        policy, person = self._usable_policy(), Person(actor.user_id, actor.team_id)
        people = await self.groups.people(person.user_id)
        with self._audit_limit.counting() as count:
            async with write(self._database, None, shown_by=f"run {run_id}") as conn:
                if lets_start:
                    self._refuse_another_system()
                parent = await runs.read_traceparent(conn, run_id=run_id) if tracing.is_on() else None
                with tracing.span("decision", parent=parent, run=run_id):
                    pending = await open_decision(conn, run_id, person, policy, people, self._message_writer)
                    yield replace(pending, count=count)
        self._message_writer.wake_ups.outbox.set()

    async def record_refusal(
        self,
        person: Person | None,
        verb: str,
        details: Mapping[str, object],
        refused: Refused,
        *,
        event: str = "run.file.refused",
    ) -> None:
        """Record the refusal, which stands even if that fails. In a flood, one row per person, verb and minute."""
        try:
            with self._audit_limit.counting() as count:
                if (due := count(name_of(person), verb)) is not None:
                    await self._record(person, event, {**details, "why": refused.why, **times(due)})
        except SourceError as error:
            logger.warning("a refusal was not recorded: %s", error.why)

    async def _record(self, person: Person | None, event: str, details: Mapping[str, object]) -> None:
        """Write an audit row that belongs to no run. Raises SourceError."""
        async with self._database.transaction(timeout_s=BREAK_GLASS_TIMEOUT_S) as conn:
            await append_audit(conn, actor=name_of(person), event=event, run_id=None, details=details)

    def _refuse_another_system(self) -> None:
        if problem := self._database.system_problem:
            raise OperatorError(
                "Nothing was approved",
                why=problem,
                what_next="Fix SUPABASE_DB_URL. `check-config` shows whether it is fixed; then press the button again.",
            )

    def _usable_policy(self) -> Policy:
        if isinstance(self.policy, Invalid):
            raise OperatorError(
                "Nothing can be changed",
                why=f"the policy cannot be used: {self.policy.why}",
                what_next="; ".join(f"{fault.variable}: {fault.what_next}" for fault in self.policy.faults)
                + ". `check-config` shows whether it is fixed.",
            )
        return self.policy


async def _read(conn: Connection, run_id: int) -> Run:
    run = await runs.read_run(conn, run_id)
    assert run is not None  # noqa: S101 - seen in the same transaction
    return run


async def _incident_of(conn: Connection, request: Request) -> Incident | None:
    """The incident in whose thread, or on whose direct message, the request was made; None if there is none or it is
    resolved."""
    if request.channel_id is None or request.thread_ts is None:
        return None
    found = await find_incident_of_message(conn, channel_id=request.channel_id, ts=request.thread_ts)
    return None if found is None or found.state is IncidentState.RESOLVED else found


def _not_filed(playbook: str, refused: Refused) -> OperatorError:
    return OperatorError(
        f"`{playbook}` was not filed",
        why=refused.why,
        what_next=refused.what_next,
        choices=[Choice("oncall", "Who is on call")],
    )


def _short(reason: str) -> str:
    return reason.strip()[:REASON_LIMIT]
