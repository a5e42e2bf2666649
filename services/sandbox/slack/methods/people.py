"""The methods auth.*, apps.*, users.*, usergroups.* and conversations.*."""

from dataclasses import replace
from typing import TypeVar

from services.sandbox.slack.methods.method import Method, channel_by_id, is_true, required
from services.sandbox.slack.model import ApiError, Json, Message
from services.sandbox.slack.workspace import Workspace, message_json

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
        raise ApiError("channel_not_found")  # the direct message of two other people
    return {"channel": channel.to_slack(workspace.bot.id)}


def history(workspace: Workspace, args: Json) -> Json:
    """The channel's messages, newest first, as in Slack."""
    channel = channel_by_id(workspace, args)
    if workspace.bot.id not in channel.members:
        raise ApiError("not_in_channel")
    messages = [m for m in workspace.messages.in_channel(channel.id) if m.visible_to is None]
    return _messages(workspace, _between(messages, args)[::-1], args)


def replies(workspace: Workspace, args: Json) -> Json:
    """The first message of a thread, then the replies, oldest first."""
    channel = channel_by_id(workspace, args)
    first = workspace.messages.find(channel.id, required(args, "ts"))
    if first is None:
        raise ApiError("thread_not_found")
    thread = workspace.messages.thread(channel.id, first.thread_ts or first.ts)
    return _messages(workspace, _between([m for m in thread if m.visible_to is None], args), args)


def open_direct(workspace: Workspace, args: Json) -> Json:
    users = str(args.get("users") or "").split(",")
    if len(users) != 1:
        raise ApiError("method_not_supported_for_channel_type")  # the local Slack has no group messages
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


CONVERSATIONS_METHODS: dict[str, Method] = {
    "conversations.list": list_channels,
    "conversations.info": info,
    "conversations.history": history,
    "conversations.replies": replies,
    "conversations.open": open_direct,
    "conversations.join": join,
    "conversations.members": members,
    "conversations.invite": invite,
}


def auth_test(workspace: Workspace, _: Json) -> Json:
    team, bot = workspace.team, workspace.bot
    who = {"user": bot.name, "user_id": bot.id, "bot_id": workspace.bot_id}
    return {"url": team.url, "team": team.name, "team_id": team.id, "is_enterprise_install": False, **who}


def api_test(_: Workspace, args: Json) -> Json:
    if args.get("error"):
        raise ApiError(str(args["error"]), args=args)
    return {"args": args}


def open_connection(workspace: Workspace, _: Json) -> Json:
    """A new WebSocket URL, valid for one connection."""
    host = workspace.base_url.replace("http", "ws", 1)
    return {"url": f"{host}/slack/link/?ticket={workspace.sockets.new_ticket()}&app_id={workspace.app.id}"}


def user_info(workspace: Workspace, args: Json) -> Json:
    user = workspace.users.get(required(args, "user"))
    if user is None:
        raise ApiError("user_not_found")
    return {"user": user.to_slack(workspace.team)}


def list_users(workspace: Workspace, _: Json) -> Json:
    members = [user.to_slack(workspace.team) for user in workspace.users.values()]
    return {"members": members, "response_metadata": {"next_cursor": ""}}


def list_groups(workspace: Workspace, args: Json) -> Json:
    groups = [group.to_slack(workspace.team) for group in workspace.groups.values()]
    if not is_true(args.get("include_users")):
        for group in groups:
            del group["users"]
    return {"usergroups": groups}


def list_group_members(workspace: Workspace, args: Json) -> Json:
    group = workspace.groups.get(required(args, "usergroup"))
    if group is None:
        raise ApiError("no_such_subteam")
    return {"users": list(group.users)}


def set_group_members(workspace: Workspace, args: Json) -> Json:
    group = workspace.groups.get(required(args, "usergroup"))
    if group is None:
        raise ApiError("no_such_subteam")
    users = tuple(filter(None, required(args, "users").split(",")))
    if not users:
        raise ApiError("no_users_provided")
    if any(user not in workspace.users for user in users):
        raise ApiError("invalid_users")
    workspace.groups[group.id] = replace(group, users=users)
    return {"usergroup": workspace.groups[group.id].to_slack(workspace.team)}


def bot_info(workspace: Workspace, args: Json) -> Json:
    if required(args, "bot") != workspace.bot_id:
        raise ApiError("bot_not_found")
    bot = workspace.bot
    about = {"id": workspace.bot_id, "deleted": False, "name": bot.real_name, "user_id": bot.id}
    return {"bot": about | {"app_id": workspace.app.id}}


METHODS: dict[str, Method] = {
    "bots.info": bot_info,
    "auth.test": auth_test,
    "api.test": api_test,
    "apps.connections.open": open_connection,
    "users.info": user_info,
    "users.list": list_users,
    "usergroups.list": list_groups,
    "usergroups.users.list": list_group_members,
    "usergroups.users.update": set_group_members,
}
