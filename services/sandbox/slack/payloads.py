"""The payloads of commands and interactions, as Slack sends them."""

from typing import TYPE_CHECKING

from services.sandbox.slack import model
from services.sandbox.slack.blocks import INPUTS, Answer, Answers, entered, state_values
from services.sandbox.slack.model import Json, Message, User, View
from services.sandbox.slack.workspace import message_json, view_json

if TYPE_CHECKING:
    from services.sandbox.slack.workspace import Workspace


TOKEN = "local-verification-token"  # noqa: S105  # Slack's deprecated field; nobody checks it


def command(workspace: "Workspace", user: User, channel_id: str, name: str, text: str) -> Json:
    """`text` holds people and channels as `<@U…|name>` and `<#C…|name>` already."""
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
        "api_app_id": model.APP_ID,
        "is_enterprise_install": "false",
        "response_url": response_url(workspace, user, channel_id),
        "trigger_id": workspace.tickets.new_trigger(user.id),
    }


def message_action(workspace: "Workspace", user: User, message: Message, action: Json, answers: Answers | None) -> Json:
    """block_actions of an element in a message."""
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
    """block_actions of an element in a modal or the Home tab."""
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
    """What one element says when it is used."""
    copied = ("text", "value", "style", "placeholder", "url")
    shape = {key: element[key] for key in copied if key in element}
    shape |= {"type": element["type"], "block_id": block_id, "action_id": element["action_id"]}
    if element["type"] in INPUTS or element["type"] == "overflow":
        shape |= entered(element, value)
    elif element["type"] == "feedback_buttons":
        shape["value"] = value
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
        "api_app_id": model.APP_ID,
        "token": TOKEN,
        "trigger_id": workspace.tickets.new_trigger(user.id),
        "team": team,
        "enterprise": None,
        "is_enterprise_install": False,
    }
