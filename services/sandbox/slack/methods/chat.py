"""The methods chat.*, reactions.*, pins.* and bookmarks.*."""

from services.sandbox.slack.blocks import with_ids
from services.sandbox.slack.methods.method import Method, channel_by_id, is_true, own_message, required
from services.sandbox.slack.methods.views import refuse_violations
from services.sandbox.slack.model import ApiError, Channel, Json, Message, RateLimitedError
from services.sandbox.slack.workspace import Workspace, message_json

TEXT_LIMIT = 40_000  # characters; a longer text is cut, not refused
BETWEEN_POSTS_S = 1.0  # "about one message a second per channel"


def post_message(workspace: Workspace, args: Json) -> Json:
    channel = _target(workspace, args)
    if channel.im_user and not workspace.setup.has_messages_tab:
        raise ApiError("messages_tab_disabled")
    refuse_violations(workspace, args, surface="message", method="chat.postMessage", channel=channel.id)
    _refuse_empty(args)
    _pace(workspace, channel)
    message = new_message(workspace, args, channel.id)
    if message.thread_ts and workspace.messages.find(channel.id, message.thread_ts) is None:
        message.thread_ts = None  # Slack does not refuse it: the reply appears in the channel
    workspace.post(message)
    shape = message_json(workspace, message, with_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": shape}


def post_ephemeral(workspace: Workspace, args: Json) -> Json:
    channel = _target(workspace, args)
    user = required(args, "user")
    refuse_violations(workspace, args, surface="message", method="chat.postEphemeral", channel=channel.id)
    _refuse_empty(args)
    if user not in channel.members:
        raise ApiError("user_not_in_channel")
    message = new_message(workspace, args, channel.id)
    message.visible_to = user
    workspace.post(message)
    return {"message_ts": message.ts}


def update(workspace: Workspace, args: Json) -> Json:
    message = own_message(workspace, args, refused_as="cant_update_message")
    if workspace.channels[message.channel].is_archived:
        raise ApiError("is_inactive")
    refuse_violations(workspace, args, surface="message", method="chat.update", channel=message.channel)
    _refuse_empty(args)
    changed = changed_content(args)
    if "blocks" not in changed:  # a text without blocks removes the blocks, and shows "(edited)"
        changed["edited"] = {"user": message.user, "ts": workspace.new_ts()}
    workspace.messages.change(message, **{"blocks": [], **changed})
    shape = message_json(workspace, message, with_metadata=True)
    return {"channel": message.channel, "ts": message.ts, "text": message.text, "message": shape}


def delete(workspace: Workspace, args: Json) -> Json:
    message = own_message(workspace, args, refused_as="cant_delete_message")
    workspace.messages.remove(message)
    return {"channel": message.channel, "ts": message.ts}


def get_permalink(workspace: Workspace, args: Json) -> Json:
    channel = channel_by_id(workspace, args)
    ts = required(args, "message_ts")
    message = workspace.messages.find(channel.id, ts)
    if message is None:
        raise ApiError("message_not_found")
    thread = f"?thread_ts={message.thread_ts}" if message.is_reply else ""
    link = f"{workspace.base_url}/archives/{channel.id}/p{ts.replace('.', '')}{thread}"
    return {"channel": channel.id, "permalink": link}


def new_message(workspace: Workspace, args: Json, channel: str) -> Message:
    """A message of the app, not posted yet."""
    message = Message(channel, workspace.new_ts(), workspace.bot.id, bot_id=workspace.bot_id)
    for name, value in changed_content(args).items():
        setattr(message, name, value)
    message.thread_ts = args.get("thread_ts") or None
    message.reply_broadcast = is_true(args.get("reply_broadcast"))
    message.username = args.get("username")
    message.icon_emoji = args.get("icon_emoji")
    return message


def changed_content(args: Json) -> Json:
    """The parts of a message's content that these arguments set."""
    changed: Json = {}
    if "text" in args:
        changed["text"] = str(args["text"] or "")[:TEXT_LIMIT]
    if args.get("blocks") is not None:
        changed["blocks"] = with_ids(args["blocks"])
    if args.get("metadata") is not None:
        changed["metadata"] = args["metadata"] or None
    return changed


def _target(workspace: Workspace, args: Json) -> Channel:
    """The channel to post to; also given by name, or as a person's id for a direct message."""
    wanted = required(args, "channel")
    if wanted in workspace.users:
        return workspace.direct_channel(wanted)
    channel = workspace.find_channel(wanted)
    if channel is None:
        raise ApiError("channel_not_found")
    if channel.is_archived:
        raise ApiError("is_archived")
    if workspace.bot.id not in channel.members:
        raise ApiError("not_in_channel")
    return channel


def _refuse_empty(args: Json) -> None:
    if not (args.get("text") or args.get("blocks")):
        raise ApiError("no_text")


def _pace(workspace: Workspace, channel: Channel) -> None:
    if not workspace.strict:
        return
    now = workspace.clock()
    if now - workspace.last_post_at.get(channel.id, 0.0) < BETWEEN_POSTS_S:
        raise RateLimitedError(1)
    workspace.last_post_at[channel.id] = now


STATUS_LASTS_S = 120.0  # unless the app posts a message before
MOST_LOADING_MESSAGES = 10


def set_status(workspace: Workspace, args: Json) -> Json:
    """Show `<the app> is thinking…` below a thread, until the app's next message there; an empty status removes it."""
    channel = workspace.channels.get(required(args, "channel_id"))
    if channel is None or workspace.bot.id not in channel.members:
        raise ApiError("channel_not_found")
    thread_ts = required(args, "thread_ts")
    if workspace.messages.find(channel.id, thread_ts) is None:
        raise ApiError("invalid_thread_ts")
    if args.get("status") is None or len(args.get("loading_messages") or ()) > MOST_LOADING_MESSAGES:
        raise ApiError("invalid_arguments")
    workspace.set_status(channel.id, thread_ts, str(args["status"]), lasts_s=STATUS_LASTS_S)
    return {}


METHODS: dict[str, Method] = {
    "assistant.threads.setStatus": set_status,
    "chat.postMessage": post_message,
    "chat.postEphemeral": post_ephemeral,
    "chat.update": update,
    "chat.delete": delete,
    "chat.getPermalink": get_permalink,
}


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


REACTIONS_METHODS: dict[str, Method] = {
    "reactions.add": add_reaction,
    "pins.add": add_pin,
    "bookmarks.add": add_bookmark,
}
