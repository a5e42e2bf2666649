"""Requests a change: makes its plan and files it for approval. The runner makes the plan again in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot.changes import CHANGES, DRY_RUN, Change
from bot.changes import EXCEPTION as EXCEPTION_OPTION
from bot.commands.arguments import parse_reason, wrong_word
from bot.commands.context import need_approval_service, requester_zone
from bot.facts.absent_bot import why_absent
from bot.facts.plan import MakePlan, Parameters
from bot.runs.emergency_stop import stop_without_journal
from bot.types import Answer, Request, Surface
from bot.views.plan import dry_run_answer, emergency_answer, manual_answer, no_plan_answer
from bot.views.runs import filed_answer
from bot.world import World
from playbooks.freeze import EXCEPTED, EXCEPTION, Freezes, go_ahead, hold_back
from playbooks.later import AT, LONGEST, start_of, write_start
from playbooks.model import NextStep, NoPlan, Risk
from playbooks.plan import Plan
from services.clients.postgres.installation import read_environment
from services.clients.railway.quota import Purpose, at_least
from services.domain.errors import OperatorError, OutcomeUnknownError, SourceError, Unavailable, UsageError
from services.domain.moments import MomentError, take_moment

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService


NO_SLACK = "changes are approved in Slack, which is unreachable or not configured"
DATABASE = "database"  # the source's name in errors
PATIENCE_S = 1.5  # for the reads of owner and freezes: an emergency must not wait for a database that hangs


async def ask(change: Change, request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    """Answer with the plan for `--dry-run`; else file the run, and answer with it or the reason why there is none."""
    words = tuple(word for word in request.words if word != DRY_RUN)
    zone_counts = is_timed(change, words)
    zone = await requester_zone(request, world, approval_service) if zone_counts else ZoneInfo("UTC")
    parameters = parse_line(change, words, datetime.now(UTC), zone)
    if len(words) < len(request.words):
        plan = await PLANS[change.name](parameters, world)
        line = " ".join([change.name, *words])
        manual = world.system if request.surface is Surface.TERMINAL else None
        return no_plan_answer(plan) if isinstance(plan, NoPlan) else dry_run_answer(plan, line, manual)
    if change.offer:
        await refuse_early(change.name, parameters, request, world, approval_service)
        offered: Answer | None = await change.offer(parameters, world)
        if offered is not None:
            return offered
    return await file(change.name, parameters, request, world, approval_service)


def is_timed(change: Change, words: tuple[str, ...]) -> bool:
    """True if the line has a start time (`at`), which is read in the time zone of the person who types it."""
    return change.can_wait and _find_at(words) is not None


def parse_line(change: Change, words: tuple[str, ...], now: datetime, zone: ZoneInfo) -> Parameters:
    """Parse the change's own parameters, with `at` and `--exception`, which comes last. Raises UsageError."""
    exception: dict[str, str] = {}
    if change.held_by_freezes and EXCEPTION_OPTION in words:
        end = words.index(EXCEPTION_OPTION)
        line = " ".join([change.name, *words[:end]])
        exception = {EXCEPTION: parse_reason(words[end + 1 :], f"{line} {EXCEPTION_OPTION} <why>")}
        words = words[:end]
    words, start = _take_start(words, now, zone) if change.can_wait else (words, {})
    own: Parameters = change.parse(words)
    return {**own, **start, **exception}


def _find_at(words: tuple[str, ...]) -> int | None:
    """Index of the word `at` in any case; None if there is none."""
    return next((n for n, word in enumerate(words) if word.lower() == AT), None)


def _take_start(words: tuple[str, ...], now: datetime, zone: ZoneInfo) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the words before `at`, and the start time as a parameter. Raises UsageError."""
    place = _find_at(words)
    if place is None:
        return words, {}
    named = " ".join(words[place + 1 :])
    try:
        found = take_moment(words[place:], now, zone) or take_moment(words[place + 1 :], now, zone)
    except MomentError as error:
        raise wrong_word(error.word, error.why, error.what_next) from None
    if found is None or found[1]:
        raise wrong_word(named or AT, "is not a start time", "Write `at 02:00` or `at fri 22:00`.")
    if not now < found[0] <= now + LONGEST:
        raise wrong_word(named, "is not within the next 7 days", "Write `at 02:00` or `at fri 22:00`.")
    return words[:place], {AT: write_start(found[0])}


async def refuse_early(
    playbook: str,
    parameters: Mapping[str, str],
    request: Request,
    world: World,
    approval_service: ApprovalService | None,
) -> None:
    """Raise OperatorError for a person who may not request any plan of the change, before anything is read."""
    if approval_service is not None:
        services = world.system.find_services(parameters.get("service", "")) or ()
        environment = world.settings.environment or ""
        await approval_service.refuse_early(playbook, services, environment, request, at=start_of(parameters))


async def file(
    playbook: str,
    parameters: Mapping[str, str],
    request: Request,
    world: World,
    approval_service: ApprovalService | None,
) -> Answer:
    """Make the plan from current facts and file it. Raises OperatorError if the requester has no permission."""
    await refuse_early(playbook, parameters, request, world, approval_service)
    plan = await PLANS[playbook](parameters, world)
    if isinstance(plan, NoPlan):
        return no_plan_answer(plan)
    if request.surface is Surface.TERMINAL:
        why = NO_SLACK if approval_service is None else await why_absent(world)
        if why is not None:
            return await _by_hand(plan, world, why)
    approval_service, reason = need_approval_service(approval_service), parameters.get("reason", "")
    try:
        return await _file_or_find(plan, request, approval_service, reason)
    except SourceError as error:
        if error.source != DATABASE:
            raise
        if plan.risk is not Risk.BREAK_GLASS:
            return await _not_filed(plan, world, error)
    # The requester's permission was checked against the policy and Slack; only the journal can't be stored.
    return await _stop_now(plan, request, world, approval_service, reason)


async def _file_or_find(plan: Plan, request: Request, approval_service: ApprovalService, reason: str) -> Answer:
    """File the request. If the answer to the COMMIT is lost, file the same delivery again, which finds its run: an
    emergency stop that was filed is already being executed, and must not be sent a second time from here.

    Raises the first try's SourceError.
    """
    try:
        return await _file(plan, request, approval_service, reason)
    except SourceError as lost:
        if lost.source != DATABASE or not lost.outcome_unknown or request.delivery is None:
            raise
        try:
            return await _file(plan, request, approval_service, reason)
        except (SourceError, OperatorError) as again:  # or no permission any more: the first may have filed it
            raise lost from again


async def _file(plan: Plan, request: Request, approval_service: ApprovalService, reason: str) -> Answer:
    filed = await approval_service.request(plan, request, reason=reason)
    return filed_answer(filed.run, filed.paged, filed.incident, filed.acknowledged)


async def _stop_now(
    plan: Plan, request: Request, world: World, approval_service: ApprovalService, reason: str
) -> Answer:
    """Stop and announce at once without the database, and file the run when the database is back."""
    async with asyncio.TaskGroup() as group:
        announcement = group.create_task(approval_service.announce(plan, request, reason=reason))
        stopping = group.create_task(stop_without_journal(plan, world))
    notice, lines = announcement.result(), [(one.is_stopping, one.note) for one in stopping.result()]
    if notice is not None:
        await approval_service.announce_outcome(notice, plan, request, lines, reason=reason)
    approval_service.file_later(plan, request, reason=reason, notice=notice)
    return emergency_answer(plan.environment, lines, is_announced=notice is not None)


async def _not_filed(plan: Plan, world: World, error: SourceError) -> Answer:
    """Answer with the steps by hand. Raises OutcomeUnknownError if the request may have been filed."""
    if not error.outcome_unknown:
        return await _by_hand(plan, world, f"runs are stored in the database: {error.why}")
    raise OutcomeUnknownError(
        "It is not known whether your request was filed",
        why=f"{error.source}: {error.why}",
        what_next="`runs` shows it once the database answers. Do not do it by hand as well.",
    ) from error


async def _by_hand(plan: Plan, world: World, why: str) -> Answer:
    """The steps of this plan by hand, as in the runbook."""
    states = await world.railway_services()
    known = {} if isinstance(states, Unavailable) else states
    return manual_answer(
        plan, why, {service: state.link for service, state in known.items() if state.link}, world.system
    )


def _guarded(change: Change) -> MakePlan:
    """The change's `plan` with checks: NoPlan if the database belongs to another environment or holds another system
    than the bot's settings say, and with freezes applied."""

    async def made(parameters: Parameters, world: World) -> Plan | NoPlan:
        make = change.plan.load()  # importing it must not use up the time of the read below
        own = {name: value for name, value in parameters.items() if name not in (AT, EXCEPTION, EXCEPTED)}
        owner, freezes = asyncio.create_task(_read_owner(world)), asyncio.create_task(_read_freezes(change, world))
        try:
            with at_least(Purpose.PLAN):
                plan: Plan | NoPlan = await make(own, world)
            owned_by = await owner
            plan = _refuse_foreign(plan, owned_by, world.database.system_problem if world.database else None)
            if isinstance(plan, NoPlan):
                return plan
            return _apply_freezes(change, _with_start(plan, parameters), await freezes, parameters)
        finally:
            owner.cancel()
            freezes.cancel()

    return made


def _with_start(plan: Plan, parameters: Parameters) -> Plan:
    """Add the start time to the plan, so that it is approved with it."""
    return replace(plan, parameters={**plan.parameters, AT: parameters[AT]}) if AT in parameters else plan


def _apply_freezes(change: Change, plan: Plan, freezes: Freezes, parameters: Parameters) -> Plan | NoPlan:
    """Apply the freezes that are in force at the plan's start time."""
    now = datetime.now(UTC)
    now = max(now, start_of(parameters) or now)
    exception, passed = parameters.get(EXCEPTION, ""), parameters.get(EXCEPTED, "")
    if change.held_by_freezes:
        return hold_back(plan, freezes, now, exception=exception, passed=passed)
    if exception:
        raise UsageError(
            "Nothing was done", why=f"no freeze applies to `{change.name}`", what_next="Leave out `--exception`."
        )
    return go_ahead(plan, freezes, now)


async def _read_freezes(change: Change, world: World) -> Freezes:
    """Read the freezes; with a time limit for changes that no freeze holds back."""
    if change.held_by_freezes:
        return await world.freezes()
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await world.freezes()
    except TimeoutError:
        return Unavailable(DATABASE, f"no answer within {PATIENCE_S:g} s")


async def _read_owner(world: World) -> str | None:
    """The environment that the database belongs to; None if it is not recorded or the database does not answer."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            named = await world.read(read_environment)
    except TimeoutError:
        return None
    return named if isinstance(named, str) else None


def _refuse_foreign(plan: Plan | NoPlan, owner: str | None, system_problem: str | None) -> Plan | NoPlan:
    if system_problem is not None:
        step = NextStep("Check the settings", "check-config")
        return NoPlan(system_problem, "fix SUPABASE_DB_URL before anything is changed", (step,))
    if isinstance(plan, NoPlan) or owner in (None, plan.environment):
        return plan
    return NoPlan(
        f"the database belongs to {owner}, and the bot's settings say {plan.environment}",
        "fix ENVIRONMENT or SUPABASE_DB_URL before anything is changed",
        (NextStep("Check the settings", "check-config"),),
    )


# {change: function that makes its plan from parameters alone, and again from `plan.parameters`}. Raises UsageError for
# invalid parameters.
PLANS: Mapping[str, MakePlan] = {name: _guarded(change) for name, change in CHANGES.items()}
