"""conversations.*: channels, their members and what was said in them."""

from typing import TypeVar

from services.sandbox.slack.errors import ApiError
from services.sandbox.slack.json_shapes import message_json
from services.sandbox.slack.methods._contract import Method, channel_by_id, is_true, required
from services.sandbox.slack.model import Json, Message
from services.sandbox.slack.workspace import Workspace

T = TypeVar("T")

DEFAULT_LIMIT = 100
MAX_LIMIT = 999


def list_channels(workspace: Workspace, args: Json) -> Json:
    types = set(str(args.get("types") or "public_channel").replace(" ", "").split(","))
    wanted = [c for c in workspace.channels.values() if ("im" if c.im_user else "public_channel") in types]
    if is_true(args.get("exclude_archived")):
        wanted = [channel for channel in wanted if not channel.is_archived]
    page, cursor = _page([channel.to_slack(workspace.bot.id) for channel in wanted], args)
    return {"channels": page, "response_metadata": {"next_cursor": cursor}}


def info(workspace: Workspace, args: Json) -> Json:
    channel = channel_by_id(workspace, args)
    if channel.im_user and workspace.bot.id not in channel.members:
        raise ApiError("channel_not_found")  # of two other people
    return {"channel": channel.to_slack(workspace.bot.id)}


def history(workspace: Workspace, args: Json) -> Json:
    """Newest first, as Slack has it."""
    channel = channel_by_id(workspace, args)
    if workspace.bot.id not in channel.members:
        raise ApiError("not_in_channel")
    messages = [m for m in workspace.messages.in_channel(channel.id) if m.visible_to is None]
    return _messages(workspace, _between(messages, args)[::-1], args)


def replies(workspace: Workspace, args: Json) -> Json:
    """The first message, then the replies, oldest first."""
    channel = channel_by_id(workspace, args)
    first = workspace.messages.find(channel.id, required(args, "ts"))
    if first is None:
        raise ApiError("thread_not_found")
    thread = workspace.messages.thread(channel.id, first.thread_ts or first.ts)
    return _messages(workspace, _between([m for m in thread if m.visible_to is None], args), args)


def open_direct(workspace: Workspace, args: Json) -> Json:
    users = str(args.get("users") or "").split(",")
    if len(users) != 1:
        raise ApiError("method_not_supported_for_channel_type")  # no group messages here
    if users[0] not in workspace.users:
        raise ApiError("user_not_found")
    channel = workspace.direct_channel(users[0])
    return {"channel": channel.to_slack(workspace.bot.id) if is_true(args.get("return_im")) else {"id": channel.id}}


def join(workspace: Workspace, args: Json) -> Json:
    channel = channel_by_id(workspace, args)
    if workspace.bot.id not in channel.members:
        channel.members.append(workspace.bot.id)
    return {"channel": channel.to_slack(workspace.bot.id)}


def members(workspace: Workspace, args: Json) -> Json:
    page, cursor = _page(channel_by_id(workspace, args).members, args)
    return {"members": page, "response_metadata": {"next_cursor": cursor}}


def invite(workspace: Workspace, args: Json) -> Json:
    channel = channel_by_id(workspace, args)
    users = required(args, "users").split(",")
    if any(user not in workspace.users for user in users):
        raise ApiError("user_not_found")
    newcomers = [user for user in users if user not in channel.members]
    if not newcomers:
        raise ApiError("already_in_channel")
    channel.members.extend(newcomers)
    return {"channel": channel.to_slack(workspace.bot.id)}


def _between(messages: list[Message], args: Json) -> list[Message]:
    oldest, latest = float(args.get("oldest") or 0), float(args.get("latest") or "inf")
    if is_true(args.get("inclusive")):
        return [m for m in messages if oldest <= float(m.ts) <= latest]
    return [m for m in messages if oldest < float(m.ts) < latest]


def _messages(workspace: Workspace, messages: list[Message], args: Json) -> Json:
    page, cursor = _page(messages, args)
    with_metadata = is_true(args.get("include_all_metadata"))
    shapes = [message_json(workspace, message, with_metadata=with_metadata) for message in page]
    return {"messages": shapes, "has_more": bool(cursor), "response_metadata": {"next_cursor": cursor}}


def _page(items: list[T], args: Json) -> tuple[list[T], str]:
    start = int(args.get("cursor") or 0)
    end = start + max(1, min(int(args.get("limit") or DEFAULT_LIMIT), MAX_LIMIT))
    return items[start:end], str(end) if end < len(items) else ""


METHODS: dict[str, Method] = {
    "conversations.list": list_channels,
    "conversations.info": info,
    "conversations.history": history,
    "conversations.replies": replies,
    "conversations.open": open_direct,
    "conversations.join": join,
    "conversations.members": members,
    "conversations.invite": invite,
}
