"""Handles clicks on a run's buttons, and their modals. Each click reads the run's state again."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.approvals.access import Refused
from bot.approvals.decisions import Decided
from bot.approvals.dialogs import Dialog
from bot.approvals.rules import confirmation_phrase
from bot.approvals.service import ApprovalService
from bot.commands.context import need_approval_service, outcome_answer
from bot.commands.dispatch import run
from bot.commands.home import START
from bot.commands.request_change import PLANS, file, refuse_early
from bot.facts.rollback import read_offer
from bot.slack.gate import App
from bot.slack.payloads import RunClick, Submission, read_click
from bot.slack.request_origin import RequestOrigin, read_request_origin
from bot.slack.respond import Body, Deduplicate, deliver, fill_dialog, open_dialog, take_submission
from bot.types import Actor, Answer, Block
from bot.views import modals, run_buttons
from bot.views.plan import no_plan_answer
from bot.views.rollback import CHOOSE, choices
from bot.views.runs import filed_answer
from bot.world import World
from playbooks.model import NoPlan
from services.clients.slack import SlackClient
from services.domain.errors import OperatorError
from services.domain.runs import Run

_RUN = re.compile(re.escape("run.") + r"[a-z_.]+")


class RunHandlers:
    """Handlers of clicks and modals about runs."""

    def __init__(
        self, *, world: World, slack: SlackClient, approval_service: ApprovalService | None, deduplicate: Deduplicate
    ) -> None:
        self._world = world
        self._slack = slack
        self._approval_service = approval_service
        self._deduplicate = deduplicate

    def register(self, app: App) -> None:
        """Register the handlers. Call before the listeners that match everything are registered."""
        app.action(run_buttons.DENY)(self._opening(Dialog.DENY, modals.deny_modal, "deny {} <why>"))
        app.action(run_buttons.REVIEW)(self._opening(Dialog.REVIEW, modals.review_modal, "review {} <what you found>"))
        app.action(run_buttons.ALONE)(self._opening(Dialog.ALONE, modals.self_approval_modal, "start-alone {} <why>"))
        app.action(run_buttons.APPROVE_TYPED)(self.on_approve_typed)
        app.action(CHOOSE)(self.on_choose_target)
        app.action(_RUN)(self.on_click)
        app.view(re.compile(".*"))(self.on_submission)

    async def on_click(self, body: Body) -> None:
        click = _need_click(body)
        is_private = bool((body.get("container") or {}).get("is_ephemeral"))
        await self._deduplicate(
            body, lambda request_origin, key: self._answer_click(click, request_origin, key, is_private=is_private)
        )

    async def on_approve_typed(self, body: Body) -> None:
        run = await self._run_to_decide(body, Dialog.APPROVE)
        if run is not None:
            phrase = confirmation_phrase(run)
            view = modals.typed_modal(run, phrase, _metadata(body) | {"run": run.id, "phrase": phrase})
            await open_dialog(self._slack, body, view, line=f"approve {run.id} {phrase}")

    async def on_choose_target(self, body: Body) -> None:
        scope = str(body["actions"][0].get("value", ""))
        request_origin = read_request_origin(body)
        if request_origin is not None:
            await refuse_early(
                "rollback", {"service": scope}, request_origin.request, self._world, self._approval_service
            )
        loading = modals.loading_modal("Another target")
        line = f"rollback {scope} to <commit>"
        view_id = await open_dialog(self._slack, body, loading, line=line)
        candidates = (
            (await read_offer(scope, self._world)).candidates if self._world.system.find_services(scope) else ()
        )
        if candidates:
            view = modals.target_modal(scope, choices(candidates), _metadata(body) | {"service": scope})
        else:
            view = modals.failed_modal("Another target", "Railway does not list the deployments to return to.")
        await fill_dialog(self._slack, view_id, view, line=line)

    async def on_submission(self, ack: AsyncAck, body: Body) -> None:
        submission = await take_submission(ack, body)
        if submission is not None:
            await self._deduplicate(
                body, lambda request_origin, key: self._answer_submission(submission, request_origin, key)
            )

    def _opening(
        self, dialog: Dialog, modal: Callable[[dict[str, object]], Block], line: str
    ) -> Callable[[Body], Awaitable[None]]:
        """Make a handler that opens a modal about the clicked run. `line`: command to type instead, `{}` for its id."""

        async def on_open(body: Body) -> None:
            run = await self._run_to_decide(body, dialog)
            if run is not None:
                view = modal(_metadata(body) | {"run": run.id})
                await open_dialog(self._slack, body, view, line=line.format(run.id))

        return on_open

    async def _run_to_decide(self, body: Body, dialog: Dialog) -> Run | None:
        """Return the clicked run if the person may submit the dialog; otherwise show the refusal and return None."""
        request_origin, run_id = read_request_origin(body), _need_click(body).run_id
        if request_origin is None:
            return None
        found = await need_approval_service(self._approval_service).open_dialog(run_id, request_origin.actor, dialog)
        if isinstance(found, Run):
            return found
        answer = outcome_answer(found, run_id)
        await self._deduplicate(body, lambda request_origin, key: deliver(self._slack, answer, request_origin, key=key))
        return None

    async def _answer_click(
        self, click: RunClick, request_origin: RequestOrigin, key: str | None, *, is_private: bool
    ) -> None:
        """`is_private`: the button is in an ephemeral message, not in the run's message."""
        match click.verb:
            case run_buttons.DETAILS:
                answer = await run(f"run {click.run_id}", request_origin.request, self._world)
            case run_buttons.ASK_AGAIN:
                answer = await self._ask_again(click.run_id, request_origin)
            case _:
                outcome = await self._decide(click, request_origin)
                if isinstance(outcome, Decided) and not (outcome.missing or outcome.notes or is_private):
                    await self._refresh_home(request_origin)
                    return  # the run's message shows it
                answer = outcome_answer(outcome, click.run_id)
        await deliver(self._slack, answer, request_origin, key=key)

    async def _decide(self, click: RunClick, request_origin: RequestOrigin) -> Decided | Refused:
        approval_service, actor = need_approval_service(self._approval_service), request_origin.actor
        match click.verb:
            case run_buttons.APPROVE:
                return await approval_service.decide(click.run_id, actor, approve=True)
            case run_buttons.VETO:
                return await approval_service.decide(click.run_id, actor, approve=False, reason="veto")
            case run_buttons.CONFIRM:
                return await approval_service.confirm(click.run_id, actor)
            case run_buttons.CANCEL:
                return await approval_service.cancel(click.run_id, actor)
            case run_buttons.RESOLVE if click.how:
                return await approval_service.resolve_unknown(click.run_id, actor, click.how)
            case _:
                raise _outdated()

    async def _ask_again(self, run_id: int, request_origin: RequestOrigin) -> Answer:
        filed = await need_approval_service(self._approval_service).ask_again(
            run_id, request_origin.request, lambda playbook, parameters: PLANS[playbook](parameters, self._world)
        )
        return (
            no_plan_answer(filed)
            if isinstance(filed, NoPlan)
            else filed_answer(filed.run, filed.paged, filed.incident, filed.acknowledged)
        )

    async def _answer_submission(self, submission: Submission, request_origin: RequestOrigin, key: str | None) -> None:
        answer = await self._submit(submission, request_origin)
        if answer is not None:
            await deliver(self._slack, answer, request_origin, key=key)
        else:
            await self._refresh_home(request_origin)

    async def _refresh_home(self, request_origin: RequestOrigin) -> None:
        """Update the Home tab after a decision there, so that the run no longer waits in it."""
        if request_origin.home:
            answer = await run(START, request_origin.request, self._world, self._approval_service)
            await deliver(self._slack, answer, request_origin, key=None)

    async def _submit(self, submission: Submission, request_origin: RequestOrigin) -> Answer | None:
        if submission.kind == modals.CHOOSE_TARGET:
            parameters = {"service": str(submission.metadata["service"]), "to": submission.answer}
            return await file("rollback", parameters, request_origin.request, self._world, self._approval_service)
        if submission.kind == modals.STOP_WORKERS:
            parameters = {"service": str(submission.metadata["service"]), "reason": submission.reason}
            return await file("stop-workers", parameters, request_origin.request, self._world, self._approval_service)
        outcome = await self._settle(submission, request_origin.actor)
        is_shown = isinstance(outcome, Refused) or outcome.missing
        return outcome_answer(outcome, submission.run_id) if is_shown else None

    async def _settle(self, submission: Submission, actor: Actor) -> Decided | Refused:
        """Carry out the decision of a modal about a run."""
        approval_service, run_id = need_approval_service(self._approval_service), submission.run_id
        match submission.kind:
            case modals.APPROVE_TYPED:
                return await approval_service.decide(run_id, actor, approve=True, typed=submission.answer)
            case modals.ALONE:
                return await approval_service.self_approve(run_id, actor, submission.words)
            case modals.REVIEW:
                return await approval_service.review(run_id, actor, submission.words)
            case _:
                return await approval_service.decide(run_id, actor, approve=False, reason=submission.words)


def _need_click(body: Body) -> RunClick:
    click = read_click(body["actions"][0])
    if click is None:
        raise _outdated()
    return click


def _metadata(body: Body) -> dict[str, object]:
    """Metadata of a dialog: the channel and thread for the answer, which Slack's submission does not report."""
    request_origin = read_request_origin(body)
    place = {"channel": request_origin.channel_id, "thread": request_origin.thread_ts} if request_origin else {}
    return {name: value for name, value in place.items() if value}


def _outdated() -> OperatorError:
    return OperatorError(
        "This button no longer works; nothing was done",
        why="the message is older than this version of the bot",
        what_next="`runs` lists the runs, with their buttons.",
    )
