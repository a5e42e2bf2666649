"""A lone start step by step: the button is shown, the countdown begins, and it ends in a start or not at all."""

from __future__ import annotations

from datetime import timedelta

from bot.approvals.alone import may_start_alone
from bot.approvals.case import Case
from bot.approvals.deciding import Decided
from bot.approvals.emergencies import read_emergency
from bot.approvals.reminders import REMIND_AFTER
from bot.approvals.rights import Refused, Verdict
from services.domain.runs import RunState
from services.postgres import lone_starts, reviews
from services.postgres.incidents import read_incident


async def begin_countdown(case: Case, reason: str, countdown: timedelta) -> Decided | Refused:
    """Who asked says why they do not wait any longer; everybody sees until when it can be vetoed."""
    verdict = await may_begin(case, countdown)
    if isinstance(verdict, Refused):
        return await case.refuse("run.alone", verdict)
    ends_at = await lone_starts.begin_countdown(case.conn, run_id=case.run.id, reason=reason, countdown=countdown)
    if ends_at is None:
        return await case.refuse("run.alone", Refused("its countdown runs already", "It starts when that is over."))
    return Decided(await case.record("run.alone", {"reason": reason, "starts_at": ends_at.isoformat()}))


async def offer(case: Case) -> None:
    """The approvers had their time: the run's message gets the button."""
    await lone_starts.note_offer(case.conn, case.run.id)
    await case.teller.tell(case.conn, case.run.id)


async def end_countdown(case: Case) -> None:
    """Nobody vetoed it: it starts, and waits for a review. Whoever may not any more does not."""
    verdict = await may_begin(case, timedelta())
    if isinstance(verdict, Refused):
        await case.refuse("run.alone", verdict)
        await lone_starts.end_countdown(case.conn, case.run.id)
        await case.teller.tell(case.conn, case.run.id)
        return
    await case.move(RunState.APPROVED)
    await reviews.ask_for_review(case.conn, run_id=case.run.id, acted_by=case.person, remind_after=REMIND_AFTER)
    await case.record("run.started_alone", {"rules": list(verdict.rules), "notes": list(verdict.notes)})


async def may_begin(case: Case, countdown: timedelta) -> Verdict:
    """Whether this person may begin the countdown, or, with a countdown of nothing, whether it may end in a start."""
    lone = await lone_starts.read_lone_start(case.conn, case.run.id)
    incident = await read_incident(case.conn, lone.incident_id) if lone else None
    return may_start_alone(
        case.run,
        lone,
        await read_emergency(case.conn, incident) if incident else None,
        case.person,
        decisions=case.decisions,
        now=case.now,
        countdown=countdown,
        policy=case.policy,
        people=case.people,
    )
