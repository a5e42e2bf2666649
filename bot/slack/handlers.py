"""What each kind of payload does. Handlers parse, call and answer; errors go up to `bot.slack.app`."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.approvals.service import Desk
from bot.commands.home import home_view
from bot.commands.registry import edited_error, run
from bot.commands.request_change import refuse_early
from bot.commands.stop_workers import COMMAND as STOP_WORKERS
from bot.database_outage import Outage
from bot.incidents.service import Room
from bot.slack.dedup import Once
from bot.slack.gate import App
from bot.slack.incident_handlers import IncidentEdge, OutageEdge
from bot.slack.payloads import (
    Asker,
    Mention,
    command_line,
    delivery_key,
    prompt_for,
    read_asker,
    read_mention,
    read_metadata,
)
from bot.slack.respond import Body, Work, deliver, open_dialog
from bot.slack.run_handlers import Deciding
from bot.types import Block, Request, Surface
from bot.views import modals
from bot.views.blocks import COMMAND_ACTION, LINK_ACTION
from bot.views.modals import STOP_WORKERS as STOP_WORKERS_MODAL
from bot.web.metrics import Metrics
from bot.world import World
from services.clients.railway.quota import Purpose, reading_for
from services.clients.slack import SlackClient
from services.domain.errors import UsageError
from services.domain.messages import LINK_TO_MESSAGE

logger = logging.getLogger(__name__)

_ANY = re.compile(".*", re.DOTALL)
_COMMAND = re.compile(re.escape(COMMAND_ACTION) + r"\.\d+")
_LINK = re.compile(re.escape(LINK_ACTION) + r"\.\d+")


class Listeners:
    """The handlers, with what they need."""

    def __init__(
        self,
        *,
        world: World,
        slack: SlackClient,
        desk: Desk | None,
        room: Room | None,
        outage: Outage | None,
        once: Once,
        metrics: Metrics,
        bot_user: Callable[[], str | None],
    ) -> None:
        """`bot_user`: our own user id, once Slack has told it."""
        self._world = world
        self._bot_user = bot_user
        self._desk = desk
        self._room = room
        self._outage = outage
        self._slack = slack
        self._once = once
        self._metrics = metrics

    def register(self, app: App) -> None:
        """The first that matches runs; the last of each kind matches everything, so that nothing is left unanswered."""
        app.command(_ANY)(self.on_command)
        app.event("app_mention")(self.on_mention)
        app.event("app_home_opened")(self.on_home_opened)
        IncidentEdge(slack=self._slack, room=self._room, do_once=self._do_once).register(app)
        OutageEdge(slack=self._slack, room=self._room, outage=self._outage, do_once=self._do_once).register(app)
        app.event(_ANY)(self.on_other_event)
        Deciding(world=self._world, slack=self._slack, desk=self._desk, do_once=self._do_once).register(app)
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
            await self._do_once(body, lambda asker, key: self._answer_mention(mention, asker, key))

    async def on_button(self, body: Body) -> None:
        line = command_line(body["actions"][0])
        if line is None:
            raise _unknown_button()
        channel = str((body.get("channel") or {}).get("id", ""))
        await self._prompt_or_answer(body, line, Surface.BUTTON, channel)

    async def on_home_opened(self, body: Body) -> None:
        if body["event"].get("tab") == "home":
            await self._do_once(body, lambda asker, _: self._show_home("", asker))

    async def on_unknown(self, body: Body) -> None:
        await self._do_once(body, _refuse)

    async def on_link(self) -> None:
        """Slack reports clicks on links; the acknowledgement is all it wants."""

    async def on_other_event(self, body: Body) -> None:
        logger.debug("ignored event %s", body["event"].get("type"))

    async def on_options(self, ack: AsyncAck) -> None:
        await ack(options=[])

    async def on_closed(self, ack: AsyncAck) -> None:
        await ack()

    async def _prompt_or_answer(self, body: Body, line: str, surface: Surface, channel: str) -> None:
        asker = read_asker(body)
        prompt = prompt_for(line, surface, channel=channel, thread=asker.thread_ts if asker else None)
        if prompt is not None and self._desk is not None:
            await self._refuse_early(prompt.modal, body)
            await open_dialog(self._slack, body, prompt.modal, line=prompt.line, choices=prompt.choices)
        else:
            await self._do_once(body, lambda asker, key: self._answer(line, asker, key))

    async def _refuse_early(self, prompt: Block, body: Body) -> None:
        """Nobody fills in a dialog only to read that they may not submit it. Raises OperatorError."""
        asker, metadata = read_asker(body), read_metadata(prompt)
        if asker is not None and prompt.get("callback_id") == STOP_WORKERS_MODAL:
            parameters = {"service": str(metadata["service"])}
            await refuse_early(STOP_WORKERS.name, parameters, asker.request, self._world, self._desk)
        elif asker is not None and prompt.get("callback_id") == modals.RESOLVE and self._room is not None:
            await self._room.refuse_early(asker.request)

    async def _do_once(self, body: Body, work: Work) -> None:
        asker = read_asker(body)
        if asker is not None:
            key = delivery_key(body)
            await self._once.do(key, lambda: self._timed(asker, work(asker, key)))

    async def _timed(self, asker: Asker, work: Awaitable[None]) -> None:
        started, outcome = time.monotonic(), "failed"
        try:
            with reading_for(Purpose.ANSWER, asker.actor.user_id):
                await work
            outcome = "answered"
        finally:
            self._metrics.answers.labels(asker.surface.value, outcome).observe(time.monotonic() - started)

    async def _answer_mention(self, mention: Mention, asker: Asker, key: str | None) -> None:
        if mention.is_edit:
            raise edited_error(mention.line)
        await self._answer(mention.line, asker, key, before=mention.before)

    async def _answer(self, line: str, asker: Asker, key: str | None, *, before: str = "") -> None:
        if asker.home:
            await self._show_home(line, asker)
            return
        request = replace(await self._in_thread(asker), before=before)
        answer = await run(line, request, self._world, self._desk, self._room)
        await deliver(self._slack, answer, asker, key=key)

    async def _in_thread(self, asker: Asker) -> Request:
        """The request, with the incident in whose thread it was made; that somebody did something there is noted."""
        if self._room is None or asker.channel_id is None or asker.thread_ts is None:
            return asker.request
        incident = await self._room.incident_at(asker.channel_id, asker.thread_ts)
        if incident is not None:
            await self._room.note_activity(incident)
        return replace(asker.request, incident=incident)

    async def _show_home(self, line: str, asker: Asker) -> None:
        answer = await run(line, asker.request, self._world, self._desk, self._room)
        await self._slack.publish_home(asker.actor.user_id, home_view(answer, line, now=datetime.now(UTC)))


async def _refuse(asker: Asker, key: str | None) -> None:  # noqa: ARG001 - called as the other handlers are
    raise _unknown_button()


def _unknown_button() -> UsageError:
    return UsageError(
        "This button is no longer known; nothing was done",
        why="the message is older than this version of the bot",
        what_next="Type `/dragonfly` to see the present state and what can be done.",
    )
