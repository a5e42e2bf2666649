"""Requests a change: plan it, then file it for approval."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.commands.command import DRY_RUN, Change
from bot.commands.context import need_approval_service
from bot.commands.plans import PLANS
from bot.runs.emergency_stop import stop_without_journal
from bot.types import Answer, Request, Surface
from bot.views.plan import dry_run_answer, emergency_answer, manual_answer, no_plan_answer
from bot.views.runs import filed_answer
from playbooks.model import NoPlan, Plan, Risk
from services.domain.errors import OperatorError, SourceError, Unavailable
from services.domain.services import find_services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.approvals.service import ApprovalService
    from bot.world import World


DATABASE = "database"  # the source's name in errors


async def ask(change: Change, request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    """The plan with `--dry-run`; otherwise the run that was filed, or why there is none."""
    words = tuple(word for word in request.words if word != DRY_RUN)
    parameters = change.parse(words)
    if len(words) < len(request.words):
        plan = await PLANS[change.name](parameters, world)
        line = " ".join([change.name, *words])
        return no_plan_answer(plan) if isinstance(plan, NoPlan) else dry_run_answer(plan, line)
    if change.offer:
        await refuse_early(change.name, parameters, request, world, approval_service)
        offered = await change.offer(parameters, world)
        if offered is not None:
            return offered
    return await file(change.name, parameters, request, world, approval_service)


async def refuse_early(
    playbook: str,
    parameters: Mapping[str, str],
    request: Request,
    world: World,
    approval_service: ApprovalService | None,
) -> None:
    """Raises OperatorError for somebody whom no plan would let ask for it. Nothing is read for them."""
    if approval_service is not None:
        services = find_services(parameters.get("service", "")) or ()
        await approval_service.refuse_early(playbook, services, world.settings.environment or "", request)


async def file(
    playbook: str,
    parameters: Mapping[str, str],
    request: Request,
    world: World,
    approval_service: ApprovalService | None,
) -> Answer:
    """Make the plan from facts of now and file it. Raises OperatorError when it may not be asked for."""
    await refuse_early(playbook, parameters, request, world, approval_service)
    plan = await PLANS[playbook](parameters, world)
    if isinstance(plan, NoPlan):
        return no_plan_answer(plan)
    if approval_service is None and request.surface is Surface.TERMINAL:
        return await _by_hand(plan, world, "changes are approved in Slack, which is not there or not configured")
    approval_service, reason = need_approval_service(approval_service), parameters.get("reason", "")
    try:
        filed = await approval_service.request(plan, request, reason=reason)
        return filed_answer(filed.run, filed.called, filed.incident, filed.acknowledged)
    except SourceError as error:
        if error.source != DATABASE:
            raise
        if plan.risk is not Risk.BREAK_GLASS:
            return await _not_filed(plan, request, world, approval_service, error)
    # Whoever may do this was looked up in the policy and in Slack; only the journal has nowhere to be.
    return await _stop_now(plan, request, world, approval_service, reason)


async def _stop_now(
    plan: Plan, request: Request, world: World, approval_service: ApprovalService, reason: str
) -> Answer:
    """The emergency stop without the database: done and told at the same time, and filed when that is back."""
    async with asyncio.TaskGroup() as group:
        telling = group.create_task(approval_service.announce(plan, request, reason=reason))
        stopping = group.create_task(stop_without_journal(plan, world))
    notice, lines = telling.result(), [(one.is_stopping, one.note) for one in stopping.result()]
    if notice is not None:
        await approval_service.announce_outcome(notice, plan, request, lines, reason=reason)
    approval_service.file_later(plan, request, reason=reason, notice=notice)
    return emergency_answer(plan.environment, lines, told=notice is not None)


async def _not_filed(
    plan: Plan, request: Request, world: World, approval_service: ApprovalService, error: SourceError
) -> Answer:
    """By hand; if the answer to the COMMIT was lost, the same delivery is filed once more, and finds its run."""
    if not error.outcome_unknown:
        return await _by_hand(plan, world, f"runs are kept in the database: {error.why}")
    try:
        if request.delivery is None:
            raise error
        filed = await approval_service.request(plan, request)
        return filed_answer(filed.run, filed.called, filed.incident, filed.acknowledged)
    except SourceError as again:
        raise OperatorError(
            "It is not known whether your request was filed",
            why=f"{again.source}: {again.why}",
            what_next="`runs` shows it once the database answers. Do not do it by hand as well.",
        ) from again


async def _by_hand(plan: Plan, world: World, why: str) -> Answer:
    """The runbook's own way, for this very plan."""
    states = await world.railway_services()
    known = {} if isinstance(states, Unavailable) else states
    return manual_answer(plan, why, {service: state.link for service, state in known.items() if state.link})
