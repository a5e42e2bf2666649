"""Handles *Ask*, the buttons below an answer to a question, and the dialog that edits a postmortem's draft."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.approvals.service import ApprovalService
from bot.assistant.answers import RATE_DOWN, RATE_UP, STOP
from bot.commands.arguments import read_number
from bot.commands.context import IncidentVerb, need_database
from bot.commands.incident import names_of, need_incident_record, postmortem_answer
from bot.commands.model_access import ModelAccess
from bot.commands.postmortem_draft import write_draft
from bot.incidents.service import IncidentService
from bot.slack.gate import App
from bot.slack.payloads import Submission
from bot.slack.request_origin import RequestOrigin, read_request_origin
from bot.slack.respond import Body, Deduplicate, deliver, fill_dialog, open_dialog, take_submission
from bot.views import modals
from bot.views.notes import notice_answer
from bot.views.text import escape
from bot.world import World
from services.clients.postgres.asks import rate_ask, stop_ask
from services.clients.slack import SlackClient
from services.domain.errors import SourceError, Unavailable
from services.domain.people import Person

STOPPED = "⏹ Stopped. The answer by rules remains; nothing more is read."
NOT_STOPPED = "It can't be stopped: only the person who asked can, while the model is being asked."
THANKS = "Thanks, recorded. It is stored with the question's number, without your words."
UNKNOWN = "This answer is too old to be rated."

AnswerLine = Callable[[str, RequestOrigin, str | None], Awaitable[None]]


class AskHandlers:
    """Handlers of questions and drafts. Each button's value is the number of the question or incident."""

    def __init__(
        self,
        *,
        world: World,
        slack: SlackClient,
        approval_service: ApprovalService | None,
        incident_service: IncidentService | None,
        answer: AnswerLine,
        deduplicate: Deduplicate,
    ) -> None:
        """`answer`: runs a line as if it had been typed at that origin."""
        self._world = world
        self._approval_service = approval_service
        self._incident_service = incident_service
        self._answer = answer
        self._slack = slack
        self._deduplicate = deduplicate

    def register(self, app: App) -> None:
        """Register the handlers. Call before the listeners that match everything are registered."""
        app.action(STOP)(self.on_stop)
        app.action(RATE_UP)(self.on_rate)
        app.action(RATE_DOWN)(self.on_rate)
        app.action(modals.DRAFT)(self.on_edit_draft)
        app.view(modals.DRAFT)(self.on_submission)
        app.view(modals.ASK)(self.on_submission)

    async def on_stop(self, body: Body) -> None:
        await self._deduplicate(body, lambda request_origin, key: self._stop(_number(body), request_origin, key))

    async def on_rate(self, body: Body) -> None:
        rating = 1 if body["actions"][0].get("action_id") == RATE_UP else -1
        await self._deduplicate(
            body, lambda request_origin, key: self._rate(_number(body), rating, request_origin, key)
        )

    async def on_edit_draft(self, body: Body) -> None:
        request_origin, number = read_request_origin(body), _number(body)
        if request_origin is None:
            return
        line = f"incident export {number}"
        loading = modals.loading_modal("Draft postmortem", "Writing the draft from the timeline, for at most 20 s …")
        view_id = await open_dialog(self._slack, body, loading, line=line)
        request = replace(request_origin.request, words=(str(number),))
        record = await need_incident_record(request, self._world, IncidentVerb.DRAFT)
        if isinstance(record, Unavailable):
            view = modals.failed_modal("Draft postmortem", f"The incident could not be read: {escape(record.why)}.")
        else:
            actor = request_origin.actor
            person = Person(actor.user_id, actor.team_id)
            access = ModelAccess(self._world, self._approval_service, person, request_origin.channel_id)
            draft = await write_draft(record, await names_of(record, self._incident_service), access)
            view = modals.draft_modal(number, draft.text, draft.origin, metadata_of(request_origin))
        await fill_dialog(self._slack, view_id, view, line=line)

    async def on_submission(self, ack: AsyncAck, body: Body) -> None:
        submission = await take_submission(ack, body)
        if submission is not None:
            await self._deduplicate(body, lambda request_origin, key: self._submit(submission, request_origin, key))

    async def _submit(self, submission: Submission, request_origin: RequestOrigin, key: str | None) -> None:
        if submission.kind == modals.ASK:
            origin = replace(request_origin, thread_ts=request_origin.opened_ts)
            await self._answer(f"ask {submission.words}", origin, key)
            return
        request = replace(request_origin.request, words=(str(int(submission.metadata["incident"])),))
        record = await need_incident_record(request, self._world, IncidentVerb.DRAFT)
        if isinstance(record, Unavailable):
            raise SourceError(record.source, record.why)
        names = await names_of(record, self._incident_service)
        answer = postmortem_answer(record, names, draft=submission.words)
        origin = replace(request_origin, thread_ts=request_origin.opened_ts)
        await deliver(self._slack, answer, origin, key=key)

    async def _stop(self, ask_id: int, request_origin: RequestOrigin, key: str | None) -> None:
        async with need_database(self._world).transaction() as conn:
            stopped = await stop_ask(conn, ask_id=ask_id, user_id=request_origin.actor.user_id)
        await deliver(self._slack, notice_answer(STOPPED if stopped else NOT_STOPPED), request_origin, key=key)

    async def _rate(self, ask_id: int, rating: int, request_origin: RequestOrigin, key: str | None) -> None:
        async with need_database(self._world).transaction() as conn:
            rated = await rate_ask(conn, ask_id=ask_id, rating=rating, user_id=request_origin.actor.user_id)
        await deliver(self._slack, notice_answer(THANKS if rated else UNKNOWN), request_origin, key=key)


def metadata_of(request_origin: RequestOrigin) -> dict[str, object]:
    """Metadata of a dialog: the channel and thread for the answer, which Slack's submission does not report."""
    place = {"channel": request_origin.channel_id, "thread": request_origin.thread_ts}
    return {name: value for name, value in place.items() if value}


def _number(body: Body) -> int:
    return read_number(str(body["actions"][0].get("value", ""))) or 0
