"""Starts an approved run: plans it again from fresh facts, takes its services, and voids requests that it replaces."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping

from bot.changes import CHANGES
from bot.facts.plan import MakePlan
from bot.freezes.holds import can_be_frozen, why_frozen
from bot.runs.decide import difference, find_doubt
from bot.runs.journal import Journal, LostRunError
from bot.runs.message import RunMessageWriter, end_approver_pages
from bot.world import World
from playbooks.freeze import EXCEPTION, excepted
from playbooks.model import NextStep, NoPlan, Risk
from playbooks.plan import decode_plan
from services.clients.postgres import runs
from services.clients.postgres.audit import append_audit
from services.clients.postgres.pool import Connection, Database
from services.domain.errors import OperatorError, SourceError, UsageError
from services.domain.runs import PreemptedRun, Run, RunState

logger = logging.getLogger(__name__)

ACTOR = "bot"  # in the audit log, for what the bot does by itself


WhyRevoked = Callable[[Run], Awaitable[str | None]]


async def never_revoked(run: Run) -> str | None:  # noqa: ARG001
    """Check no right: the default of `why_revoked`."""
    return None


class RunStart:
    """Starts a run. `plans`: {playbook: the function that plans it from parameters and facts}. `why_revoked` returns,
    as a clause, why a scheduled run may not start any more; None if it may. It raises SourceError if that is
    unknown."""

    def __init__(
        self,
        database: Database,
        world: World,
        plans: Mapping[str, MakePlan],
        journal: Journal,
        message_writer: RunMessageWriter,
        why_revoked: WhyRevoked,
    ) -> None:
        self._database = database
        self._world = world
        self._plans = plans
        self._journal = journal
        self._message_writer = message_writer
        self._why_revoked = why_revoked

    async def begin(self, run: Run) -> bool:
        """Start the run; False if it was voided instead, with the reason. Raises LostRunError, SourceError."""
        if can_be_frozen(run) and await self._is_frozen(run):
            return False
        revoked = await self._why_revoked(run) if run.start_at is not None else None
        if revoked is not None:
            await self._void(run, f"Not started: {revoked}.")
            return False
        changed = await self._find_difference(run)
        if changed is not None:
            await self._void(run, f"Not started: the plan is no longer the approved one: {changed}.")
            return False
        preempted = await self._start(run)
        if preempted is None:
            return False
        await self._wait_for_requests(run, preempted)
        return True

    async def _find_difference(self, run: Run) -> str | None:
        """Plan the run again, and return the difference from the approved plan; None if there is none.

        A fact that can't be read voids nothing, because each step checks its own. A scheduled run, approved long ago,
        does not start without it: raises SourceError, and the start is retried until the run expires.
        """
        approved = decode_plan(run.plan)
        make = self._plans.get(run.playbook)
        if approved.risk is Risk.BREAK_GLASS:
            return None  # starts immediately; its acts are safe in any state
        if make is None:
            return f"this version of the bot has no {run.playbook}"
        try:
            now = await make(run.parameters, self._world)
        except UsageError as error:
            return error.why
        except OperatorError as error:
            now = NoPlan(error.why, error.what_next, (NextStep("The run", f"run {run.id}"),), is_unknown=True)
        doubt = find_doubt(approved, now)
        if doubt is not None:
            if run.start_at is not None:
                raise SourceError("its plan", doubt, retryable=True)
            logger.warning("run %d is not planned again: %s", run.id, doubt)
        return difference(approved, now)

    async def _start(self, run: Run) -> list[PreemptedRun] | None:
        """Start the run and return the runs that it pre-empted; None if a freeze or another run voided it."""
        async with self._database.transaction() as conn:
            if await self._void_if_frozen(conn, run):
                await self._journal.renew(conn)
                return None
            conflicts = await runs.take_services(conn, run_id=run.id)
            preempted: list[PreemptedRun] = []
            if conflicts and await self._may_preempt(conn, run, {holder for _, holder in conflicts}):
                preempted = await self._preempt(conn, run)
                conflicts = await runs.take_services(conn, run_id=run.id)
            await self._journal.renew(conn)
            if conflicts:
                await self._void_for_conflict(conn, run, conflicts)
                return None
            await self._begin(conn, run, preempted)
        self._message_writer.wake_ups.outbox.set()
        return preempted

    async def _is_frozen(self, run: Run) -> bool:
        """Check freezes before planning again, which takes a while; the check within the start decides."""
        async with self._journal.writing() as conn:
            is_void = await self._void_if_frozen(conn, run)
        self._message_writer.wake_ups.outbox.set()
        return is_void

    async def _void_if_frozen(self, conn: Connection, run: Run) -> bool:
        frozen = await why_frozen(conn, run, name_of=self._world.name_of)
        if frozen is not None:
            await self._end_void(conn, run, f"Not started: {frozen}.")
        return frozen is not None

    async def _begin(self, conn: Connection, run: Run, preempted: list[PreemptedRun]) -> None:
        if not await runs.transition_run(conn, run_id=run.id, from_=[RunState.APPROVED], to=RunState.RUNNING):
            raise LostRunError
        outcome = f"Void: run {run.id} ({run.title}) started on the same service."
        change = CHANGES.get(run.playbook)
        voided = await runs.void_waiting_runs(
            conn,
            services=run.services,
            except_run=run.id,
            outcome=outcome,
            only_playbook=None if change is None or change.voids_others else run.playbook,
            scheduled=change is not None and bool(change.preempts),  # or they would start it again unattended
        )
        for other in voided:
            await end_approver_pages(conn, other)
        for other in [one.run_id for one in preempted] + voided:
            await append_audit(conn, actor=ACTOR, event="run.made_way", run_id=other, details={"for": run.id})
            await self._message_writer.write(conn, other)
        head = await append_audit(
            conn,
            actor=ACTOR,
            event="run.started",
            run_id=run.id,
            details={"plan": run.plan_hash} | _exception_details(run),
        )
        await self._message_writer.write(conn, run.id, head=head)

    async def _may_preempt(self, conn: Connection, run: Run, holders: Collection[int]) -> bool:
        change = CHANGES.get(run.playbook)
        if change is None or not change.preempts:
            return False
        others = [await runs.read_run(conn, holder) for holder in holders]
        return all(other is None or change.goes_before(other.playbook) for other in others)

    async def _preempt(self, conn: Connection, run: Run) -> list[PreemptedRun]:
        outcome = f"Cancelled: run {run.id} ({run.title}) has priority and took over its services."
        return await runs.preempt_runs(
            conn, services=run.services, by_run=run.id, outcome=outcome, longest_lease=self._journal.longest_lease
        )

    async def _void_for_conflict(self, conn: Connection, run: Run, conflicts: list[tuple[str, int]]) -> None:
        service, holder = conflicts[0]
        other = await runs.read_run(conn, holder)
        title = f" ({other.title})" if other else ""
        await self._end_void(conn, run, f"Not started: run {holder}{title} has {service}.")

    async def _void(self, run: Run, outcome: str) -> None:
        async with self._journal.writing() as conn:
            await self._end_void(conn, run, outcome)
        self._message_writer.wake_ups.outbox.set()

    async def _end_void(self, conn: Connection, run: Run, outcome: str) -> None:
        if not await runs.transition_run(
            conn, run_id=run.id, from_=[RunState.APPROVED], to=RunState.VOIDED, outcome=outcome
        ):
            raise LostRunError
        head = await append_audit(conn, actor=ACTOR, event="run.voided", run_id=run.id, details={"why": outcome})
        await self._message_writer.write(conn, run.id, head=head)

    async def _wait_for_requests(self, run: Run, preempted: list[PreemptedRun]) -> None:
        """Wait while a pre-empted run's last request may still take effect. An emergency does not wait."""
        left_s = max((other.may_act_for_s for other in preempted), default=0.0)
        if left_s > 0 and run.risk != Risk.BREAK_GLASS:
            await asyncio.sleep(left_s)


def _exception_details(run: Run) -> dict[str, object]:
    """Freezes that the approvers let it pass, for the audit log."""
    passed = sorted(excepted(run.parameters))
    return {"freezes_passed": passed, "exception": run.parameters[EXCEPTION]} if passed else {}
