"""Handlers of the payload kinds. They parse, call and answer; errors propagate to `bot.slack.app`."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from slack_bolt.context.ack.async_ack import AsyncAck

from bot import tracing
from bot.approvals.service import ApprovalService
from bot.commands.dispatch import run
from bot.commands.home import home_view
from bot.commands.parsing import split_words
from bot.commands.registry import edited_error, find, import_all
from bot.commands.request_change import refuse_early
from bot.commands.stop_workers import NAME as STOP_WORKERS
from bot.incidents.service import IncidentService
from bot.outage.database import Outage
from bot.slack.acknowledged import Acknowledged
from bot.slack.ask_handlers import AskHandlers
from bot.slack.dedup import Deduplicator
from bot.slack.gate import App
from bot.slack.incident_handlers import IncidentHandlers, OutageHandlers
from bot.slack.payloads import command_line, prompt_for, read_metadata
from bot.slack.progress import Progress
from bot.slack.request_origin import Mention, RequestOrigin, delivery_key, read_mention, read_request_origin
from bot.slack.respond import Body, Work, deliver, open_dialog
from bot.slack.run_handlers import RunHandlers
from bot.slack.todo_handlers import TodoHandlers
from bot.types import Answer, Block, Request, Surface
from bot.views import modals
from bot.views.blocks import COMMAND_ACTION, LINK_ACTION
from bot.views.modals import STOP_WORKERS as STOP_WORKERS_MODAL
from bot.views.progress import still_reading
from bot.web.metrics import Metrics
from bot.world import World
from services.clients.railway.quota import Purpose, reading_for
from services.clients.slack import SlackClient
from services.domain.errors import UsageError
from services.domain.message_origin import slash
from services.domain.messages import LINK_TO_MESSAGE

logger = logging.getLogger(__name__)

_ANY = re.compile(".*", re.DOTALL)
_COMMAND = re.compile(re.escape(COMMAND_ACTION) + r"\.\d+")
_LINK = re.compile(re.escape(LINK_ACTION) + r"\.\d+")


class Listeners:
    """All handlers with their dependencies; one per process."""

    def __init__(
        self,
        *,
        world: World,
        slack: SlackClient,
        approval_service: ApprovalService | None,
        incident_service: IncidentService | None,
        outage: Outage | None,
        deduplicator: Deduplicator,
        metrics: Metrics,
        bot_user: Callable[[], str | None],
        workspace: Callable[[], str | None],
    ) -> None:
        """`bot_user`, `workspace`: return the bot's user id and team id, None until Slack has reported them."""
        import_all()
        self._world = world
        self._bot_user = bot_user
        self._approval_service = approval_service
        self._incident_service = incident_service
        self._outage = outage
        self._slack = slack
        self._deduplicator = deduplicator
        self.acknowledged = Acknowledged(deduplicator, bot_user, workspace=workspace)
        self._metrics = metrics

    def register(self, app: App) -> None:
        """Register the handlers. The first match runs; the last of each kind matches all, so each gets an answer."""
        app.command(_ANY)(self.on_command)
        app.event("app_mention")(self.on_mention)
        app.event("message")(self.on_mention)
        app.event("app_home_opened")(self.on_home_opened)
        AskHandlers(
            world=self._world,
            slack=self._slack,
            approval_service=self._approval_service,
            incident_service=self._incident_service,
            answer=self._answer,
            deduplicate=self._deduplicate,
        ).register(app)
        IncidentHandlers(
            slack=self._slack, incident_service=self._incident_service, deduplicate=self._deduplicate
        ).register(app)
        TodoHandlers(
            slack=self._slack, incident_service=self._incident_service, deduplicate=self._deduplicate
        ).register(app)
        OutageHandlers(
            slack=self._slack,
            incident_service=self._incident_service,
            outage=self._outage,
            deduplicate=self._deduplicate,
        ).register(app)
        app.event(_ANY)(self.on_other_event)
        RunHandlers(
            world=self._world, slack=self._slack, approval_service=self._approval_service, deduplicate=self._deduplicate
        ).register(app)
        app.action(_COMMAND)(self.on_button)
        app.action(_LINK)(self.on_link)
        app.action(LINK_TO_MESSAGE)(self.on_link)
        app.action(_ANY)(self.on_unknown)
        app.shortcut(_ANY)(self.on_unknown)
        app.options(_ANY)(self.on_options)
        app.view_closed(_ANY)(self.on_closed)

    async def on_command(self, body: Body) -> None:
        await self._prompt_or_answer(body, body.get("text") or "", Surface.SLASH, str(body.get("channel_id", "")))

    async def on_mention(self, body: Body) -> None:
        mention = read_mention(body["event"], self._bot_user())
        if mention is not None:
            await self._deduplicate(
                body, lambda request_origin, key: self._answer_mention(mention, request_origin, key)
            )

    async def on_button(self, body: Body) -> None:
        line = command_line(body["actions"][0])
        if line is None:
            raise _unknown_button()
        channel = str((body.get("channel") or {}).get("id", ""))
        await self._prompt_or_answer(body, line, Surface.BUTTON, channel)

    async def on_home_opened(self, body: Body) -> None:
        if body["event"].get("tab") == "home":
            await self._deduplicate(body, lambda request_origin, _: self._show_home("", request_origin))

    async def on_unknown(self, body: Body) -> None:
        await self._deduplicate(body, _refuse)

    async def on_link(self) -> None:
        """Do nothing: Slack reports clicks on links, which only need the acknowledgement."""

    async def on_other_event(self, body: Body) -> None:
        logger.debug("ignored event %s", body["event"].get("type"))

    async def on_options(self, ack: AsyncAck) -> None:
        await ack(options=[])

    async def on_closed(self, ack: AsyncAck) -> None:
        await ack()

    async def _prompt_or_answer(self, body: Body, line: str, surface: Surface, channel: str) -> None:
        request_origin = read_request_origin(body)
        prompt = prompt_for(line, surface, channel=channel, thread=request_origin.thread_ts if request_origin else None)
        if prompt is not None and self._approval_service is not None:
            await self._refuse_early(prompt.modal, body)
            await open_dialog(self._slack, body, prompt.modal, line=prompt.line, choices=prompt.choices)
        else:
            await self._deduplicate(body, lambda request_origin, key: self._answer(line, request_origin, key))

    async def _refuse_early(self, prompt: Block, body: Body) -> None:
        """Check the permission before a dialog opens, not after it is filled in. Raises OperatorError."""
        request_origin, metadata = read_request_origin(body), read_metadata(prompt)
        if request_origin is not None and prompt.get("callback_id") == STOP_WORKERS_MODAL:
            parameters = {"service": str(metadata["service"])}
            await refuse_early(STOP_WORKERS, parameters, request_origin.request, self._world, self._approval_service)
        elif (
            request_origin is not None
            and prompt.get("callback_id") == modals.RESOLVE
            and self._incident_service is not None
        ):
            await self._incident_service.refuse_early(request_origin.request)

    async def _deduplicate(self, body: Body, work: Work) -> None:
        request_origin = read_request_origin(body)
        if request_origin is not None:
            key = delivery_key(body)
            await self._deduplicator.do(key, lambda: self._timed(request_origin, work(request_origin, key)))

    async def _timed(self, request_origin: RequestOrigin, work: Awaitable[None]) -> None:
        started, outcome = time.monotonic(), "failed"
        try:
            with (
                tracing.span("command", surface=request_origin.surface.value),
                reading_for(Purpose.ANSWER, request_origin.actor.user_id),
            ):
                await work
            outcome = "answered"
        finally:
            self._metrics.answers.labels(request_origin.surface.value, outcome).observe(time.monotonic() - started)

    async def _answer_mention(self, mention: Mention, request_origin: RequestOrigin, key: str | None) -> None:
        if mention.is_edit:
            raise edited_error(mention.line)
        await self._answer(mention.line, request_origin, key, before=mention.before)

    async def _answer(self, line: str, request_origin: RequestOrigin, key: str | None, *, before: str = "") -> None:
        if request_origin.home:
            await self._show_home(line, request_origin)
            return
        progress = Progress(self._slack, request_origin, self._world.public_answers)
        at = request_origin.received_at + self._world.settings.sign_after_s
        async with progress.sign(self._still_reading(line, request_origin.surface), at=at):
            request = replace(await self._in_thread(request_origin), before=before, progress=progress.show)
            answer = await run(line, request, self._world, self._approval_service, self._incident_service)
        if answer.private or answer.file is not None or not await progress.finish(answer):
            await progress.remove_sign()
            await deliver(self._slack, answer, request_origin, key=key)

    def _still_reading(self, line: str, surface: Surface) -> Answer:
        """Sign to show while the sources don't answer; private unless the answer will be public."""
        try:
            verb = find(split_words(line, surface))[0]
        except UsageError:
            verb = None
        is_public = verb is not None and verb.is_read and not verb.private
        return still_reading(verb.name if verb else line, self._world.settings.source_timeout_s, private=not is_public)

    async def _in_thread(self, request_origin: RequestOrigin) -> Request:
        """The request with the incident in whose thread it was made. Records activity in that incident."""
        if self._incident_service is None or request_origin.channel_id is None or request_origin.thread_ts is None:
            return request_origin.request
        incident = await self._incident_service.incident_at(request_origin.channel_id, request_origin.thread_ts)
        if incident is not None:
            await self._incident_service.note_activity(incident)
        return replace(request_origin.request, incident=incident)

    async def _show_home(self, line: str, request_origin: RequestOrigin) -> None:
        answer = await run(line, request_origin.request, self._world, self._approval_service, self._incident_service)
        await self._slack.publish_home(request_origin.actor.user_id, home_view(answer, line, now=datetime.now(UTC)))


async def _refuse(request_origin: RequestOrigin, key: str | None) -> None:  # noqa: ARG001 - signature of `Work`
    raise _unknown_button()


def _unknown_button() -> UsageError:
    return UsageError(
        "This button no longer works; nothing was done",
        why="the message is older than this version of the bot",
        what_next=f"Type `{slash()}` to see the current state.",
    )
