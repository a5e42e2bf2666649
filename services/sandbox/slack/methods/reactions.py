"""Reactions, pins and bookmarks, as far as the bot uses them."""

from services.sandbox.slack.errors import ApiError
from services.sandbox.slack.methods._contract import Method, channel_by_id, required
from services.sandbox.slack.model import Json, Message
from services.sandbox.slack.workspace import Workspace


def add_reaction(workspace: Workspace, args: Json) -> Json:
    message, name = _message(workspace, args), required(args, "name").strip(":")
    users = message.reactions.get(name, [])
    if workspace.bot.id in users:
        raise ApiError("already_reacted")
    workspace.messages.change(message, reactions={**message.reactions, name: [*users, workspace.bot.id]})
    return {}


def add_pin(workspace: Workspace, args: Json) -> Json:
    message = _message(workspace, args)
    if message.pinned:
        raise ApiError("already_pinned")
    workspace.messages.change(message, pinned=True)
    return {}


def add_bookmark(workspace: Workspace, args: Json) -> Json:
    channel = workspace.channels.get(required(args, "channel_id"))
    if channel is None:
        raise ApiError("channel_not_found")
    bookmark = {"title": required(args, "title"), "link": args.get("link"), "channel_id": channel.id}
    channel.bookmarks.append(bookmark)
    return {"bookmark": {"id": f"Bk{len(channel.bookmarks):08d}", "type": "link", **bookmark}}


def _message(workspace: Workspace, args: Json) -> Message:
    channel = channel_by_id(workspace, args)
    message = workspace.messages.find(channel.id, required(args, "timestamp"))
    if message is None or message.visible_to is not None:
        raise ApiError("message_not_found")
    return message


METHODS: dict[str, Method] = {
    "reactions.add": add_reaction,
    "pins.add": add_pin,
    "bookmarks.add": add_bookmark,
}
