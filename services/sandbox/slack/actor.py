"""A person's acts in the workspace: type, click, submit, close, open the Home tab."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from services.sandbox.slack import actor, model
from services.sandbox.slack.blocks import Answer, Answers, find_element, state_values, unanswered
from services.sandbox.slack.delivery import Envelope, EnvelopeKind, NotDeliveredError
from services.sandbox.slack.methods.views import checked_view
from services.sandbox.slack.model import ApiError, Json, Message, NothingThereError, User, View
from services.sandbox.slack.views import ResponseTicket
from services.sandbox.slack.web_api import respond

if TYPE_CHECKING:
    from services.sandbox.slack.workspace import Workspace
from typing import TYPE_CHECKING

from services.sandbox.slack.blocks import INPUTS, entered
from services.sandbox.slack.workspace import message_json, view_json

if TYPE_CHECKING:
    from services.sandbox.slack.workspace import Workspace


NOT_CONFIGURED = "This app is not configured to handle interactive responses."
TURNED_OFF = "Sending messages to this app has been turned off."  # shown by Slack in place of the composer
TROUBLE = {"": "We had some trouble connecting. Try again?"}  # shown when the app's answer is missing or invalid


async def submit(workspace: "Workspace", user: User, view: View, answers: Answers | None) -> dict[str, str]:
    """Submit a view. Returns errors by block id (empty id: the whole view); empty if the app accepted it."""
    view.state = state_values(view.content["blocks"], answers)
    errors = unanswered(view.content["blocks"], view.state)
    if errors:
        workspace.views.refuse(view, errors)
        return errors
    payload = actor.view_submission(workspace, user, view)
    try:
        answer = await workspace.delivery.send(Envelope(EnvelopeKind.INTERACTIVE, payload))
        return _apply_acknowledgement(workspace, view, answer)
    except (ApiError, NotDeliveredError):
        workspace.views.refuse(view, TROUBLE)
        return TROUBLE


def _apply_acknowledgement(workspace: "Workspace", view: View, answer: Json) -> dict[str, str]:
    """Do what the acknowledgement requests; an empty one closes the modal. Raises ApiError."""
    match answer.get("response_action"):
        case "errors":
            return _show_errors(workspace, view, answer.get("errors") or {})
        case "update":
            workspace.views.update(view, _checked(workspace, view, answer))
        case "push":
            if workspace.views.push(view.user, _checked(workspace, view, answer)) is None:
                raise ApiError("push_limit_reached")
        case "clear":
            workspace.views.clear(view.user)
        case _:
            workspace.views.pop(view)
    return {}


def _show_errors(workspace: "Workspace", view: View, errors: Json) -> dict[str, str]:
    """Show the errors, which are valid only on input blocks of this view. Raises ApiError."""
    inputs = {block["block_id"] for block in view.content["blocks"] if block.get("type") == "input"}
    if not errors or not errors.keys() <= inputs:
        raise ApiError("invalid_arguments")
    workspace.views.refuse(view, errors)
    return errors


def _checked(workspace: "Workspace", view: View, answer: Json) -> Json:
    return checked_view(workspace, answer, surface="modal", method="view_submission", user=view.user)


async def close(workspace: "Workspace", user: User, view: View, *, all_of_them: bool) -> None:
    """Close one modal or all; the app is notified about those with `notify_on_close`."""
    if all_of_them or view.content.get("clear_on_close"):
        closed = workspace.views.clear(user.id)
    else:
        workspace.views.pop(view)
        closed = [view]
    for each in closed:
        if each.content.get("notify_on_close"):
            payload = actor.view_closed(workspace, user, each, is_cleared=all_of_them)
            await _deliver(workspace, payload)


async def _deliver(workspace: "Workspace", payload: Json) -> None:
    try:
        await workspace.delivery.send(Envelope(EnvelopeKind.INTERACTIVE, payload))
    except NotDeliveredError:
        return  # Slack shows no error either


MENTION = re.compile(r"(?<![\w<])@([a-z][\w.-]*)")
MENTION_BY_ID = re.compile(r"&lt;@([UW][A-Z0-9]+)&gt;")  # as written by the composer's completion
CHANNEL = re.compile(r"(?<![\w<&])#([a-z][\w-]*)")


def typed_message(workspace: "Workspace", text: str) -> str:
    """The text with names replaced by ids: `ask @ann in #general` becomes `ask <@U…> in <#C…|general>`."""
    return _with_ids(workspace, _escape(text), lambda user_id, _: f"<@{user_id}>")


def typed_command(workspace: "Workspace", text: str) -> str:
    """The same for the text of a slash command, where `should_escape` adds people's names."""
    return _with_ids(workspace, _escape(text), lambda user_id, name: f"<@{user_id}|{name}>")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _with_ids(workspace: "Workspace", text: str, mention: Callable[[str, str], str]) -> str:
    people = {user.name: user.id for user in workspace.users.values()}
    groups = {group.handle: group.id for group in workspace.groups.values()}
    channels = {channel.name: channel.id for channel in workspace.channels.values() if channel.name}

    def named(match: re.Match[str]) -> str:
        name = match[1]
        if name in groups:
            return f"<!subteam^{groups[name]}|@{name}>"
        return mention(people[name], name) if name in people else match[0]

    def linked(match: re.Match[str]) -> str:
        return f"<#{channels[match[1]]}|{match[1]}>" if match[1] in channels else match[0]

    def named_by_id(match: re.Match[str]) -> str:
        user = workspace.users.get(match[1])
        return mention(user.id, user.name) if user else match[0]

    return CHANNEL.sub(linked, MENTION.sub(named, MENTION_BY_ID.sub(named_by_id, text)))


class Actor:
    """One person. Each method returns once the app has acknowledged, or has failed to.

    It returns the error that this person sees, such as `operation_timeout`, or None.
    """

    def __init__(self, workspace: "Workspace", user: User) -> None:
        self.workspace = workspace
        self.user = user

    async def type(self, channel: str, text: str, *, thread_ts: str | None = None) -> str | None:
        """Send the composer's text: a message, or a command if it starts with a slash."""
        if channel not in self.workspace.channels:
            raise NothingThereError(f"There is no channel `{channel}`.")
        if text.startswith("/"):
            return await self._command(channel, text, thread_ts)
        if self.workspace.channels[channel].im_user and not self.workspace.app_in(channel).setup.has_messages_tab:
            return TURNED_OFF
        self.say(channel, text, thread_ts=thread_ts)
        return None

    def say(self, channel: str, text: str, *, thread_ts: str | None = None) -> Message:
        """Post a plain message; the app receives it as an event."""
        stored = typed_message(self.workspace, text)
        message = Message(channel, self.workspace.new_ts(), self.user.id, stored, thread_ts=thread_ts)
        self.workspace.post(message)
        return message

    async def click(
        self,
        channel: str,
        ts: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: Answer = None,
        answers: Answers | None = None,
    ) -> str | None:
        """Use a button or another element of a message. `value`: the choice in a select, date and so on."""
        message = self._message(channel, ts)
        action = self._action([message.blocks, *message.former[::-1]], action_id, block_id, value)
        app = self.workspace.app_of(message)
        return await self._interact(app, actor.message_action(app, self.user, message, action, answers))

    async def click_in_view(
        self,
        view_id: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: Answer = None,
        answers: Answers | None = None,
    ) -> str | None:
        """Use an element of a modal or of the Home tab."""
        app, view = self._own_view(view_id)
        view.state = state_values(view.content["blocks"], answers)
        action = self._action([view.content["blocks"], *view.former[::-1]], action_id, block_id, value)
        return await self._interact(app, actor.view_action(app, self.user, view, action))

    async def submit(self, view_id: str, answers: Answers | None = None) -> dict[str, str]:
        """Submit a modal. Returns errors by block id; empty if the app accepted it."""
        app, view = self._own_view(view_id)
        return await submit(app, self.user, view, answers)

    async def close_modal(self, view_id: str, *, all_of_them: bool = False) -> None:
        """Close a modal, or the whole stack, as the cross does."""
        app, view = self._own_view(view_id)
        await close(app, self.user, view, all_of_them=all_of_them)

    def open_home(self) -> None:
        self.workspace.events.home_opened(self.user.id)

    async def shortcut(self, callback_id: str, channel: str, ts: str) -> str | None:
        """Use a message shortcut."""
        message = self._message(channel, ts)
        shortcut = actor.message_shortcut(self.workspace, self.user, message, callback_id)
        return await self._interact(self.workspace, shortcut)

    def react(self, channel: str, ts: str, name: str) -> None:
        """Add a reaction to a message, or remove one's own."""
        message = self._message(channel, ts)
        users = message.reactions.get(name, [])
        added = self.user.id not in users
        left = [*users, self.user.id] if added else [user for user in users if user != self.user.id]
        others = {key: value for key, value in message.reactions.items() if key != name}
        self.workspace.messages.change(message, reactions=others | ({name: left} if left else {}))
        for app in self.workspace.installed:
            app.events.reaction_changed(message, self.user.id, name, added=added)

    async def _command(self, channel: str, line: str, thread_ts: str | None) -> str | None:
        name, _, text = line.partition(" ")
        if thread_ts is not None:
            return self._send(channel, f"{name} is not supported in threads. Sorry!", thread_ts=thread_ts)
        app = next((one for one in self.workspace.installed if name in one.commands), self.workspace)
        if not app.setup.owns_command:
            return self._send(channel, f"Another app has answered {name}.")
        if name not in app.commands:
            return self._send(channel, f"{name} is not a valid command.")
        payload = actor.command(app, self.user, channel, name, typed_command(app, text.strip()))
        try:
            answer = await app.delivery.send(Envelope(EnvelopeKind.COMMAND, payload))
        except NotDeliveredError as error:
            code = failure(error)
            self._send(channel, f'{name} failed with the error "{code}"')
            return code
        self._show_answer(app, channel, name, answer)
        return None

    def _show_answer(self, app: "Workspace", channel: str, name: str, answer: Json) -> None:
        """Show the answer that an acknowledgement may contain."""
        if not answer.get("text") and not answer.get("blocks"):
            return
        try:
            respond(app, ResponseTicket(self.user.id, channel, expires_at=float("inf")), answer)
        except ApiError as error:
            self._send(channel, f'{name} failed with the error "{error.code}"')

    async def _interact(self, app: "Workspace", payload: Json) -> str | None:
        if not app.setup.has_interactivity:
            return NOT_CONFIGURED
        try:
            await app.delivery.send(Envelope(EnvelopeKind.INTERACTIVE, payload))
        except NotDeliveredError as error:
            return failure(error)
        return None

    def _action(self, versions: list[list[Json]], action_id: str, block_id: str | None, value: Answer) -> Json:
        """The action on an element, in the newest version that has it.

        If the app replaces the blocks while a person clicks, the action is sent for the version that they saw.
        """
        shown = versions if block_id else versions[:1]  # without a block id, only the newest version counts
        found = next(filter(None, (find_element(blocks, action_id, block_id) for blocks in shown)), None)
        if found is None:
            raise NothingThereError(f"There is nothing called `{action_id}` to use any more.")
        return actor.action_of(self.workspace, *found, value)

    def _message(self, channel: str, ts: str) -> Message:
        message = self.workspace.messages.find(channel, ts)
        if message is None or not message.is_visible_to(self.user.id):
            raise NothingThereError("This message is gone, or only another person can see it.")
        return message

    def _own_view(self, view_id: str) -> tuple["Workspace", View]:
        """The view, and the app that opened it."""
        for app in self.workspace.installed:
            view = app.views.find(view_id)
            if view is not None and view.user == self.user.id:
                return app, view
        raise NothingThereError("This view is closed, or is another person's.")

    def _send(self, channel: str, text: str, *, thread_ts: str | None = None) -> str:
        """Show a message of Slack itself to this person only."""
        message = Message(channel, self.workspace.new_ts(), model.SLACKBOT.id, text, thread_ts=thread_ts)
        message.visible_to = self.user.id
        self.workspace.post(message)
        return text


def failure(error: NotDeliveredError) -> str:
    """The error that a person sees when the app did not acknowledge."""
    return "operation_timeout" if error.reason in ("timeout", "http_timeout") else "dispatch_failed"


def acting_as(workspace: "Workspace", user: str) -> Actor:
    """The person with the id `user`, who can type, click, submit. Raises NothingThereError for an unknown user."""
    if user not in workspace.users:
        raise NothingThereError(f"There is no person with the id `{user}`.")
    return Actor(workspace, workspace.users[user])


TOKEN = "local-verification-token"  # noqa: S105  # for Slack's deprecated field; not checked


def command(workspace: "Workspace", user: User, channel_id: str, name: str, text: str) -> Json:
    """The payload of a slash command. `text` contains people and channels as `<@U…|name>` and `<#C…|name>`."""
    channel = workspace.channels[channel_id]
    return {
        "token": TOKEN,
        "team_id": workspace.team.id,
        "team_domain": workspace.team.domain,
        "channel_id": channel_id,
        "channel_name": "directmessage" if channel.im_user else channel.name,
        "user_id": user.id,
        "user_name": user.name,
        "command": name,
        "text": text,
        "api_app_id": workspace.app.id,
        "is_enterprise_install": "false",
        "response_url": response_url(workspace, user, channel_id),
        "trigger_id": workspace.tickets.new_trigger(user.id),
    }


def message_action(workspace: "Workspace", user: User, message: Message, action: Json, answers: Answers | None) -> Json:
    """The block_actions payload of an element in a message."""
    channel = workspace.channels[message.channel]
    container = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": message.channel,
        "is_ephemeral": message.visible_to is not None,
    }
    if message.is_reply:
        container["thread_ts"] = message.thread_ts
    return _interaction(workspace, user, "block_actions") | {
        "container": container,
        "channel": {"id": channel.id, "name": "directmessage" if channel.im_user else channel.name},
        "message": message_json(workspace, message, with_metadata=True),
        "state": {"values": state_values(message.blocks, answers)},
        "response_url": response_url(workspace, user, message.channel, message=message),
        "actions": [action],
    }


def view_action(workspace: "Workspace", user: User, view: View, action: Json) -> Json:
    """The block_actions payload of an element in a modal or the Home tab."""
    return _interaction(workspace, user, "block_actions") | {
        "container": {"type": "view", "view_id": view.id},
        "view": view_json(workspace, view),
        "actions": [action],
    }


def view_submission(workspace: "Workspace", user: User, view: View) -> Json:
    shape = {"view": view_json(workspace, view), "response_urls": []}
    return _interaction(workspace, user, "view_submission") | shape


def view_closed(workspace: "Workspace", user: User, view: View, *, is_cleared: bool) -> Json:
    payload = _interaction(workspace, user, "view_closed") | {"view": view_json(workspace, view)}
    del payload["trigger_id"]
    return payload | {"is_cleared": is_cleared}


def message_shortcut(workspace: "Workspace", user: User, message: Message, callback_id: str) -> Json:
    channel = workspace.channels[message.channel]
    return _interaction(workspace, user, "message_action") | {
        "action_ts": workspace.new_ts(),
        "callback_id": callback_id,
        "message_ts": message.ts,
        "channel": {"id": channel.id, "name": channel.name},
        "message": message_json(workspace, message, with_metadata=True),
        "response_url": response_url(workspace, user, message.channel, message=message),
    }


def action_of(workspace: "Workspace", block_id: str, element: Json, value: Answer) -> Json:
    """The action that an element sends when it is used."""
    copied = ("text", "value", "style", "placeholder", "url")
    shape = {key: element[key] for key in copied if key in element}
    shape |= {"type": element["type"], "block_id": block_id, "action_id": element["action_id"]}
    if element["type"] in INPUTS or element["type"] == "overflow":
        shape |= entered(element, value)
    return shape | {"action_ts": workspace.new_ts()}


def response_url(workspace: "Workspace", user: User, channel: str, *, message: Message | None = None) -> str:
    message_ts, thread_ts = (message.ts, message.thread_ts) if message else (None, None)
    token = workspace.tickets.new_response(user.id, channel, message_ts=message_ts, thread_ts=thread_ts)
    return f"{workspace.base_url}/slack/response/{token}"


def _interaction(workspace: "Workspace", user: User, kind: str) -> Json:
    team = {"id": workspace.team.id, "domain": workspace.team.domain}
    return {
        "type": kind,
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id or workspace.team.id},
        "api_app_id": workspace.app.id,
        "token": TOKEN,
        "trigger_id": workspace.tickets.new_trigger(user.id),
        "team": team,
        "enterprise": None,
        "is_enterprise_install": False,
    }
