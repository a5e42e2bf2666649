"""The type of a Web API method, and helpers that read its arguments."""

from collections.abc import Callable
from typing import Any

from services.sandbox.slack.model import ApiError, Channel, Json, Message
from services.sandbox.slack.workspace import Workspace

# Takes the arguments and returns the answer without `ok`. Raises ApiError.
Method = Callable[[Workspace, Json], Json]


def required(args: Json, name: str) -> str:
    value = args.get(name)
    if value in (None, ""):
        raise ApiError("invalid_arguments", response_metadata={"messages": [f"[ERROR] missing required field: {name}"]})
    return str(value)


def channel_by_id(workspace: Workspace, args: Json) -> Channel:
    channel = workspace.channels.get(str(args.get("channel")))
    if channel is None:
        raise ApiError("channel_not_found")
    return channel


def own_message(workspace: Workspace, args: Json, *, refused_as: str) -> Message:
    """The app's own message at `channel` and `ts`; ephemeral ones cannot be changed this way. Raises ApiError."""
    channel = channel_by_id(workspace, args)
    message = workspace.messages.find(channel.id, str(args.get("ts")))
    if message is None or message.visible_to is not None:
        raise ApiError("message_not_found")
    if message.user != workspace.bot.id:
        raise ApiError(refused_as)
    return message


def is_true(value: Any) -> bool:
    """True for a boolean argument, which arrives as JSON, or as text in a form or a query."""
    return value in (True, "true", "True", "1", 1)
