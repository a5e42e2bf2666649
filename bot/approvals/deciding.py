"""What people decide about a run that is open on the desk: it is refused, or the run changes; both are written down."""

from __future__ import annotations

from dataclasses import dataclass

from bot.approvals.case import Case
from bot.approvals.decide import may_confirm, may_decide
from bot.approvals.rights import Allowed, Refused
from bot.approvals.steer import may_cancel, may_resolve, may_review
from playbooks._clean_up import is_left_to_clean_up
from services.domain.runs import WAITING, Run, RunState, StepState
from services.postgres import reviews, runs
from services.postgres.runs import Resolution


@dataclass(frozen=True)
class Decided:
    """It happened. `missing`: how many more have to approve. `notes`: what the right rested on that is not of now."""

    run: Run
    missing: int = 0
    notes: tuple[str, ...] = ()


async def confirm(case: Case) -> Decided | Refused:
    """The requester's own word for something of low risk."""
    verdict = may_confirm(case.run, case.person, case.now, case.policy, case.people)
    if isinstance(verdict, Refused):
        return await case.refuse("run.confirm", verdict)
    await case.move(RunState.APPROVED)
    return Decided(await case.record("run.confirmed"), notes=verdict.notes)


async def decide(case: Case, *, approve: bool, reason: str, typed: str) -> Decided | Refused:
    """One denial ends the request, the last approval lets it run."""
    verdict = may_decide(
        case.run,
        case.person,
        approve=approve,
        typed=typed,
        decisions=case.decisions,
        now=case.now,
        policy=case.policy,
        people=case.people,
    )
    if isinstance(verdict, Refused):
        return await case.refuse("run.approve" if approve else "run.deny", verdict)
    await case.write_decision(approve=approve, reason=reason)
    return await (_approve(case, verdict, reason) if approve else _deny(case, verdict, reason))


async def cancel(case: Case) -> Decided | Refused:
    """What waits or is unknown ends at once; what runs is stopped by whoever carries it."""
    verdict = may_cancel(case.run, case.person, case.policy, case.people)
    if isinstance(verdict, Refused):
        return await case.refuse("run.cancel", verdict)
    await runs.request_cancel(case.conn, run_id=case.run.id, person=case.person)
    if case.run.state in WAITING:
        await case.move(RunState.CANCELLED, "cancelled before it started")
    elif case.run.state is RunState.UNKNOWN:
        await case.move(RunState.CANCELLED, f"Cancelled. {_how_it_stood(case)}")
    return Decided(await case.record("run.cancelled"), notes=verdict.notes)


async def resolve_unknown(case: Case, how: Resolution) -> Decided | Refused:
    """Every unknown step becomes what the person says; the run goes on, or fails when it is given up.

    What is given up may have brought something: the run goes on until that is taken away.
    """
    verdict = may_resolve(case.run, case.person, case.policy, case.people)
    if isinstance(verdict, Refused):
        return await case.refuse("run.resolve", verdict)
    steps = await runs.read_steps(case.conn, case.run.id)
    unknown = [step.position for step in steps if step.state is StepState.UNKNOWN]
    for position in unknown:
        await runs.resolve_unknown_step(case.conn, run_id=case.run.id, position=position, person=case.person, how=how)
    if how == "abort" and is_left_to_clean_up(steps):
        await case.move(RunState.RUNNING, "Given up. What it brought is taken away first.")
    elif how == "abort":
        await case.move(RunState.FAILED, f"Given up. {_how_it_stood(case)}")
    else:
        said = "it is done" if how == "done" else "try it again"
        await case.move(RunState.RUNNING, f"A person said of the unknown step: {said}. The run goes on.")
    return Decided(await case.record("run.resolved", {"how": how, "steps": unknown}), notes=verdict.notes)


def _how_it_stood(case: Case) -> str:
    """What was said when it became unknown: at which step, and how the services were left."""
    return case.run.outcome or "It stayed unknown what became of a step."


async def close_review(case: Case, note: str) -> Decided | Refused:
    """Who reviewed it and what they noted stays in the run's message and in the audit log."""
    review = await reviews.read_review(case.conn, case.run.id)
    verdict = may_review(case.run, review, case.person, case.policy, case.people)
    if isinstance(verdict, Refused):
        return await case.refuse("run.review", verdict)
    await reviews.close_review(case.conn, run_id=case.run.id, person=case.person, note=note)
    return Decided(await case.record("run.reviewed", _basis(verdict, note)), notes=verdict.notes)


async def _approve(case: Case, verdict: Allowed, reason: str) -> Decided:
    missing = (await case.again()).missing
    if missing == 0:
        await case.move(RunState.APPROVED)
    run = await case.record("run.approved", _basis(verdict, reason) | {"missing": missing})
    return Decided(run, missing, verdict.notes)


async def _deny(case: Case, verdict: Allowed, reason: str) -> Decided:
    await case.move(RunState.CANCELLED, f"denied: {reason}" if reason else "denied")
    return Decided(await case.record("run.denied", _basis(verdict, reason)), notes=verdict.notes)


def _basis(verdict: Allowed, reason: str) -> dict[str, object]:
    """What the audit log keeps of why somebody could decide, and of what they said."""
    return {"reason": reason, "rules": list(verdict.rules), "notes": list(verdict.notes)}
