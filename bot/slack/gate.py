"""The gate before every handler: admits only members of our workspace, and only where no other company can read.

A payload passes if all workspaces that it names are ours, if Slack shows that its user has an account in our workspace,
and if the conversation is not shared with another company. If Slack does not report one of these, it does not pass.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, Protocol

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.people import MAX_AGE, Account, People
from bot.slack.acknowledged import Acknowledged
from bot.slack.request_origin import RequestOrigin, is_direct_message, named_teams, read_channel, read_request_origin
from bot.slack.respond import Body
from bot.slack_directory import Known, Lookups, Profiles
from bot.views.text import channel_name, escape
from services.clients.slack import SlackClient
from services.domain.errors import OperatorError, Unavailable
from services.domain.message_origin import named_environments, slash
from services.domain.people import Person

logger = logging.getLogger(__name__)

FRESH_S = 60.0  # accounts and conversations hardly change; permissions are checked again at each decision
_SILENT = frozenset({"reaction_added", "reaction_removed"})  # events that need no answer, so a refusal is not shown
_GONE = frozenset({"channel_not_found"})

Handler = Callable[..., Awaitable[None]]
Register = Callable[..., Callable[[Handler], Any]]
ShowError = Callable[[Exception, Body], Coroutine[Any, Any, None]]


class App(Protocol):
    """Registry of handlers: Bolt's app, or `GatedApp` around it."""

    @property
    def command(self) -> Register: ...

    @property
    def event(self) -> Register: ...

    @property
    def action(self) -> Register: ...

    @property
    def shortcut(self) -> Register: ...

    @property
    def options(self) -> Register: ...

    @property
    def view(self) -> Register: ...

    @property
    def view_closed(self) -> Register: ...


class Gate:
    """Checks payloads; one per process. `workspace` returns our team id. `channel`: where refused people may ask.

    environment: the bot's own; None if unknown, and then no click is refused as another environment's.
    """

    def __init__(
        self,
        slack: SlackClient,
        profiles: Profiles,
        *,
        workspace: Callable[[], str | None],
        channel: str,
        environment: str | None = None,
    ) -> None:
        self._profiles = profiles
        self._conversations = Lookups("conversation", slack.is_shared_outside, gone=_GONE)
        self._workspace = workspace
        self._channel = channel
        self._environment = environment

    async def check(self, body: Body) -> OperatorError | None:
        """Return the reason why this payload is refused; None if it passes. A payload without a person passes, because
        nothing is done for it."""
        request_origin = read_request_origin(body)
        if request_origin is None:
            return None
        looked_up = None if _is_our_direct_message(body) else read_channel(body)
        why = await self._why_not(request_origin, body) or await self._why_not_here(looked_up, body)
        if why is not None:
            logger.warning("refused a payload of %s: %s", request_origin.actor.user_id, why.why)
        return why

    def refuse_foreign(self, body: Body) -> OperatorError | None:
        """Return the error for a click on a message that another environment's bot or another app made; else None.

        Messages of an earlier release name no environment and count as ours: Slack delivers them only to their own app.
        """
        others = named_environments(body) - {self._environment} if self._environment else frozenset()
        ours, made_by = body.get("api_app_id"), (body.get("message") or {}).get("app_id")
        is_foreign = body.get("type") == "block_actions" and None not in (ours, made_by) and made_by != ours
        if not others and not is_foreign:
            return None
        whose = f"the bot of {', '.join(sorted(others))}" if others else "another app"
        logger.warning("a click was refused: %s made the message", whose)
        return OperatorError(
            "Nothing was done",
            why=f"{whose} made this, and this is the bot of {self._environment}",
            what_next=f"Type it here after `{slash()}`. Each bot needs its own Slack app "
            "(`dragonfly manifest --command …`): bots that share an app get each other's clicks.",
        )

    async def aclose(self) -> None:
        """Cancel the pending look-ups."""
        await self._conversations.aclose()

    async def _why_not(self, request_origin: RequestOrigin, body: Body) -> OperatorError | None:
        user_id, workspace = request_origin.actor.user_id, self._workspace()
        foreign = next((team for team in named_teams(body) if team != workspace), None)
        accounts: dict[str, Account | Unavailable] = {}
        if foreign is None or workspace is None:
            await self._profiles.ask([user_id], fresh_s=FRESH_S)
            known = self._profiles.recall(user_id)
            accounts = {user_id: known if isinstance(known, Unavailable) else Account(known.value, known.age)}
        why = People(workspace, accounts=accounts).outsider(Person(user_id, foreign or request_origin.actor.team_id))
        if why is None:
            return None
        return OperatorError(
            "Nothing was done",
            why=escape(why, limit=300),
            what_next=f"Ask a member of our workspace to type it, after `{slash()}`.",
        )

    async def _why_not_here(self, channel_id: str | None, body: Body) -> OperatorError | None:
        shared = "this conversation is shared with another company"
        elsewhere = f"Type `{slash()}` in {channel_name(self._channel)}, which only our workspace can read."
        if body.get("is_ext_shared_channel"):
            return OperatorError("Nothing was done", why=shared, what_next=elsewhere)
        if channel_id is None:
            return None
        await self._conversations.ask([channel_id], fresh_s=FRESH_S)
        known = self._conversations.recall(channel_id)
        if isinstance(known, Known) and known.age <= MAX_AGE:
            return OperatorError("Nothing was done", why=shared, what_next=elsewhere) if known.value else None
        doubt = known.why if isinstance(known, Unavailable) else "last read over an hour ago"
        why = f"Slack does not report who else can read this conversation ({escape(doubt, limit=200)})"
        return OperatorError("Nothing was done", why=why, what_next=f"{elsewhere} Or `/invite` me here first.")


class GatedApp:
    """Wraps Bolt's app so that handlers run only after the payload has passed the gate.

    `show_error`: shows a refusal to the person who acted. `acknowledged`: tracks each payload.
    """

    def __init__(self, app: App, gate: Gate, show_error: ShowError, acknowledged: Acknowledged) -> None:
        self._gate = gate
        self._acknowledged = acknowledged
        self._show_error = show_error
        self.command = self._gated(app.command)
        self.event = self._gated(app.event)
        self.action = self._gated(app.action)
        self.shortcut = self._gated(app.shortcut)
        self.options = self._gated(app.options)
        self.view = self._gated(app.view)
        self.view_closed = app.view_closed  # not gated: it is only acknowledged

    def _gated(self, register: Register) -> Register:
        def gated_register(*constraints: Any) -> Callable[[Handler], Any]:
            return lambda handler: register(*constraints)(self._behind_gate(handler))

        return gated_register

    def _behind_gate(self, handler: Handler) -> Handler:
        wanted = inspect.signature(handler).parameters.keys()

        async def gated(body: Body, ack: AsyncAck) -> None:
            if _is_not_for_us(body):
                await ack()
                return
            async with self._acknowledged.take(body):
                await self._pass(body, ack, handler, wanted)

        return gated

    async def _pass(self, body: Body, ack: AsyncAck, handler: Handler, wanted: Collection[str]) -> None:
        """Run the handler if the payload passes the gate. `wanted`: names of the handler's parameters."""
        refused = self._gate.refuse_foreign(body) or await self._gate.check(body)
        if refused is None:
            given: dict[str, Any] = {"body": body, "ack": ack}
            try:
                await handler(**{name: given[name] for name in wanted})
            except Exception as error:
                if ack.response is None:
                    raise
                self._show_error_later(error, body)
            return
        await ack()
        if (body.get("event") or {}).get("type") not in _SILENT:
            self._show_error_later(refused, body)

    def _show_error_later(self, error: Exception, body: Body) -> None:
        """Show the error in a task: Bolt polls every 10 ms, and loses the acknowledgement if its listener raises."""
        self._acknowledged.wait_for(asyncio.create_task(self._show_error(error, body)))


def _is_not_for_us(body: Body) -> bool:
    """True for channel messages and messages of programs (including the bot): they need no look-up and no answer."""
    event = body.get("event") or {}
    return event.get("type") == "message" and not is_direct_message(event)


def _is_our_direct_message(body: Body) -> bool:
    """True if a button was pressed in the bot's direct messages with this person, so no look-up is needed."""
    message = body.get("message") or {}
    channel_id = read_channel(body) or ""
    return bool(message.get("app_id")) and message.get("app_id") == body.get("api_app_id") and channel_id[:1] == "D"
