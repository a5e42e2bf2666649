"""Handles *Add a follow-up* in a message's menu, and its dialog."""

from __future__ import annotations

from datetime import UTC, datetime

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.commands.arguments import need_moment
from bot.commands.context import incident_outcome_answer, need_incident_service
from bot.incidents.service import IncidentService
from bot.incidents.todos import NewTodo
from bot.slack.gate import App
from bot.slack.payloads import NAMES_WITHIN_S, Submission, quoted_words
from bot.slack.request_origin import RequestOrigin, read_request_origin
from bot.slack.respond import Body, Deduplicate, deliver, open_dialog, take_submission
from bot.views import modals
from bot.views.terminal import ids_in
from services.clients.slack import SlackClient
from services.domain.errors import OperatorError

TYPED = "incident todo <incident> <what is to be done>"


class TodoHandlers:
    """Handlers of the shortcut and its dialog."""

    def __init__(
        self, *, slack: SlackClient, incident_service: IncidentService | None, deduplicate: Deduplicate
    ) -> None:
        self._slack = slack
        self._incident_service = incident_service
        self._deduplicate = deduplicate

    def register(self, app: App) -> None:
        """Register the handlers. Call before the listeners that match everything are registered."""
        app.shortcut(modals.ADD_TODO)(self.on_shortcut)
        app.view(modals.TODO)(self.on_submission)

    async def on_shortcut(self, body: Body) -> None:
        """Open the dialog for the incident of the message's thread, else with a choice of incidents."""
        incident_service, origin = need_incident_service(self._incident_service), read_request_origin(body)
        if origin is not None:
            await incident_service.refuse_early(origin.request)
        message, channel = body["message"], str(body["channel"]["id"])
        thread = str(message.get("thread_ts") or message["ts"])
        found = await incident_service.incidents_for_todo(channel, thread)
        if not found:
            what_next = "*Escalate this* in the same menu opens one."
            raise OperatorError("No follow-up was added", why="there is no incident yet", what_next=what_next)
        name_of = await incident_service.names.soon_known(ids_in(str(message.get("text", ""))), NAMES_WITHIN_S)
        text = quoted_words(message, modals.TODO_LIMIT, self._slack.origin, name_of)
        known = {"incident": found[0].id, "thread": thread} if len(found) == 1 else {}
        view = modals.todo_modal(found, {"channel": channel, **known}, text=text)
        await open_dialog(self._slack, body, view, line=TYPED)

    async def on_submission(self, ack: AsyncAck, body: Body) -> None:
        submission = await take_submission(ack, body)
        if submission is not None:
            await self._deduplicate(body, lambda request_origin, key: self._answer(submission, request_origin, key))

    async def _answer(self, submission: Submission, request_origin: RequestOrigin, key: str | None) -> None:
        incident_service = need_incident_service(self._incident_service)
        due = None
        if submission.due:
            zone = await incident_service.zone_of(request_origin.actor)
            due, _ = need_moment([submission.due], datetime.now(UTC), zone, day_ends=True)
        number = int(submission.metadata.get("incident") or submission.preset)
        new = NewTodo(submission.words, submission.owner or None, due)
        outcome = await incident_service.add_todo(number, request_origin.request, new)
        await deliver(self._slack, incident_outcome_answer(outcome), request_origin, key=key)
