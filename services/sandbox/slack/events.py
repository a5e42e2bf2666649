"""The Events API: what happened is told to the app, and told again while the app does not acknowledge."""

import asyncio
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from services.sandbox.slack import cast
from services.sandbox.slack.delivery import Envelope, EnvelopeKind, NotDeliveredError
from services.sandbox.slack.json_shapes import message_json, view_json
from services.sandbox.slack.model import Channel, Json, Message

if TYPE_CHECKING:
    from services.sandbox.slack.workspace import Workspace

RETRY_AFTER_S: tuple[float, ...] = (0.0, 60.0, 300.0)  # almost at once, after a minute, after five


class Events:
    """`retry_after_s` holds the pauses before the redeliveries; tests shorten them."""

    def __init__(self, workspace: "Workspace") -> None:
        self.retry_after_s = RETRY_AFTER_S
        self._workspace = workspace

    def message_posted(self, message: Message) -> None:
        """`message`, and `app_mention` when it names the app. Nobody is told of ephemeral messages."""
        if message.visible_to is not None:
            return
        channel = self._workspace.channels[message.channel]
        shape = message_json(self._workspace, message) | {"channel": channel.id, "event_ts": message.ts}
        kind = "im" if channel.im_user else "channel"
        self._tell(f"message.{kind}s" if kind == "channel" else "message.im", shape | {"channel_type": kind}, channel)
        if f"<@{self._workspace.bot.id}>" in message.text and message.bot_id is None:
            self._tell("app_mention", shape | {"type": "app_mention"}, channel)

    def reaction_changed(self, message: Message, user: str, name: str, *, added: bool) -> None:
        kind = "reaction_added" if added else "reaction_removed"
        item: Json = {"type": "message", "channel": message.channel, "ts": message.ts}
        event: Json = {"type": kind, "user": user, "reaction": name, "item": item, "item_user": message.user}
        event["event_ts"] = self._workspace.new_ts()
        self._tell(kind, event, self._workspace.channels[message.channel])

    def home_opened(self, user: str) -> None:
        home = self._workspace.home_for(user)
        channel = self._workspace.direct_channel(user).id
        event: Json = {"type": "app_home_opened", "user": user, "channel": channel, "tab": "home"}
        event["event_ts"] = self._workspace.new_ts()
        if home is not None:
            event["view"] = view_json(self._workspace, home)
        self._tell("app_home_opened", event, None)

    def _tell(self, subscription: str, event: Json, channel: Channel | None) -> None:
        needs_bot = channel is not None and self._workspace.bot.id not in channel.members
        if subscription in self._workspace.subscribed_events and not needs_bot:
            is_shared = channel is not None and channel.is_ext_shared
            self._workspace.run(self.deliver(self._callback(event) | {"is_ext_shared_channel": is_shared}))

    async def deliver(self, payload: Json) -> bool:
        """Deliver with Slack's retries; whether the app took it in the end."""
        envelope = Envelope(EnvelopeKind.EVENT, payload)
        for pause_s in (*self.retry_after_s, None):
            try:
                await self._workspace.delivery.send(envelope)
            except NotDeliveredError as error:
                if pause_s is None or not error.may_retry:
                    return False
                await asyncio.sleep(pause_s)
                envelope = replace(envelope, retry_attempt=envelope.retry_attempt + 1, retry_reason=error.reason)
            else:
                return True
        return False

    def _callback(self, event: Json) -> Json:
        workspace = self._workspace
        authorization = {
            "enterprise_id": None,
            "team_id": workspace.team.id,
            "user_id": workspace.bot.id,
            "is_bot": True,
            "is_enterprise_install": False,
        }
        return {
            "token": "local-verification-token",
            "team_id": workspace.team.id,
            "api_app_id": cast.APP_ID,
            "event": event,
            "type": "event_callback",
            "event_id": "Ev" + secrets.token_hex(5).upper(),
            "event_time": int(workspace.clock()),
            "authorizations": [authorization],
            "is_ext_shared_channel": False,
        }
