"""Handles shortcuts, modals and marked messages of incidents, and *Acknowledge* during a database outage."""

from __future__ import annotations

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.commands.context import ON_CALL, incident_outcome_answer, need_incident_service, parse_severity
from bot.commands.parsing import join_words
from bot.incidents.service import IncidentService
from bot.outage.database import Outage
from bot.slack.gate import App
from bot.slack.payloads import NAMES_WITHIN_S, Submission, quoted_words
from bot.slack.payloads import OPEN as OPEN_LINE
from bot.slack.request_origin import RequestOrigin
from bot.slack.respond import Body, Deduplicate, deliver, open_dialog, take_submission
from bot.views import modals
from bot.views.notes import notice_answer
from bot.views.outage import ACKNOWLEDGE, OUTAGE_ACKNOWLEDGED
from bot.views.runs import refused_answer
from bot.views.terminal import ids_in, no_name
from bot.views.text import plain
from services.clients.slack import SlackClient
from services.domain.errors import Choice
from services.domain.incidents import MarkedMessage

MARK = "pushpin"  # the reaction that adds a message to the timeline
SOURCE_LIMIT = 1000  # characters of the escalated message; a modal's metadata may have 3,000 in all


class IncidentHandlers:
    """Handlers of *Escalate this*, of the incident modals, and of marks."""

    def __init__(
        self, *, slack: SlackClient, incident_service: IncidentService | None, deduplicate: Deduplicate
    ) -> None:
        self._slack = slack
        self._incident_service = incident_service
        self._deduplicate = deduplicate

    def register(self, app: App) -> None:
        """Register the handlers. Call before the listeners that match everything are registered."""
        app.shortcut(modals.ESCALATE_THIS)(self.on_escalate_this)
        for kind in (modals.OPEN, modals.RESOLVE, modals.NOTE):
            app.view(kind)(self.on_submission)
        app.event("reaction_added")(self.on_reaction)
        app.event("reaction_removed")(self.on_reaction)

    async def on_escalate_this(self, body: Body) -> None:
        message, channel = body["message"], str(body["channel"]["id"])
        names, mentioned = self._incident_service and self._incident_service.names, ids_in(str(message.get("text", "")))
        name_of = await names.soon_known(mentioned, NAMES_WITHIN_S) if names else no_name
        text = quoted_words(message, SOURCE_LIMIT, self._slack.origin, name_of)
        source = {"ts": str(message["ts"]), "user": str(message.get("user", "")), "text": text}
        title = plain(text.partition("\n")[0], limit=modals.INCIDENT_TITLE_LIMIT)
        view = modals.open_modal({"channel": channel, "source": source}, title=title)
        line = join_words([*OPEN_LINE.split(), *title.split()]) if title else None
        choices = [Choice(line, "Open the incident")] if line else []
        await open_dialog(self._slack, body, view, line=f"{OPEN_LINE} <what is wrong>", choices=choices)

    async def on_submission(self, ack: AsyncAck, body: Body) -> None:
        submission = await take_submission(ack, body)
        if submission is not None:
            await self._deduplicate(body, lambda request_origin, key: self._answer(submission, request_origin, key))

    async def on_reaction(self, body: Body) -> None:
        event = body["event"]
        if event.get("reaction") == MARK and event.get("item", {}).get("type") == "message":
            await self._deduplicate(body, lambda _request_origin, _key: self._mark(event))

    async def _answer(self, submission: Submission, request_origin: RequestOrigin, key: str | None) -> None:
        incident_service = need_incident_service(self._incident_service)
        if submission.kind == modals.NOTE:
            rotation = str(submission.metadata["rotation"])
            noted = await incident_service.on_call.add_note(
                request_origin.request, rotation=rotation, text=submission.words
            )
            answer = notice_answer(noted) if isinstance(noted, str) else refused_answer(noted.sentence, ON_CALL)
            await deliver(self._slack, answer, request_origin, key=key)
            return
        if submission.kind == modals.RESOLVE:
            number = int(submission.metadata["incident"])
            outcome = await incident_service.resolve(number, request_origin.request, submission.words)
        else:
            severity = parse_severity(submission.preset or "sev2")
            source = _source(submission)
            outcome = await incident_service.open(
                request_origin.request, title=submission.words, severity=severity, services=(), source=source
            )
        await deliver(self._slack, incident_outcome_answer(outcome), request_origin, key=key)

    async def _mark(self, event: Body) -> None:
        """Read the message; add it to the timeline of its thread's incident, or remove it if it is not marked."""
        if self._incident_service is None:
            return
        channel, ts = str(event["item"]["channel"]), str(event["item"]["ts"])
        found = await self._slack.read_message(channel, ts)
        if found is None:
            return
        message = MarkedMessage(channel, ts, found.user, found.text)
        await self._incident_service.mark(found.thread_ts or ts, message, is_marked=MARK in found.reactions)


def _source(submission: Submission) -> MarkedMessage | None:
    source = submission.metadata.get("source")
    if not isinstance(source, dict):
        return None
    return MarkedMessage(
        str(submission.metadata["channel"]), str(source["ts"]), str(source["user"]), str(source["text"])
    )


class OutageHandlers:
    """Handler of *Acknowledge* during a database outage. Permissions are those of incidents and need no database."""

    def __init__(
        self,
        *,
        slack: SlackClient,
        incident_service: IncidentService | None,
        outage: Outage | None,
        deduplicate: Deduplicate,
    ) -> None:
        self._slack = slack
        self._incident_service = incident_service
        self._outage = outage
        self._deduplicate = deduplicate

    def register(self, app: App) -> None:
        """Register the handler. Call before the listeners that match everything are registered."""
        app.action(ACKNOWLEDGE)(self.on_acknowledge)

    async def on_acknowledge(self, body: Body) -> None:
        await self._deduplicate(body, self._acknowledge)

    async def _acknowledge(self, request_origin: RequestOrigin, key: str | None) -> None:
        await need_incident_service(self._incident_service).refuse_early(request_origin.request)
        if self._outage is not None:
            await self._outage.acknowledge(request_origin.actor.user_id)
            await deliver(self._slack, notice_answer(OUTAGE_ACKNOWLEDGED), request_origin, key=key)
