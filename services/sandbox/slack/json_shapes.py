"""How messages and views look in answers and payloads."""

from typing import TYPE_CHECKING

from services.sandbox.slack import cast
from services.sandbox.slack.files import file_json
from services.sandbox.slack.model import Json, Message, View

if TYPE_CHECKING:
    from services.sandbox.slack.workspace import Workspace


def message_json(workspace: "Workspace", message: Message, *, with_metadata: bool = False) -> Json:
    shape: Json = {"type": "message", "user": message.user, "text": message.text, "ts": message.ts}
    shape["team"] = workspace.team.id
    author = workspace.users.get(message.user)
    if author is not None and author.team_id:
        shape |= {"user_team": author.team_id, "source_team": author.team_id}
    optional = {
        "thread_ts": message.thread_ts,
        "blocks": message.blocks,
        "attachments": message.attachments,
        "edited": message.edited,
        "bot_id": message.bot_id,
        "app_id": cast.APP_ID if message.bot_id else None,
        "metadata": message.metadata if with_metadata else None,
        "reactions": [{"name": n, "users": u, "count": len(u)} for n, u in message.reactions.items()],
        "files": _files(workspace, message),
        "username": message.username,
    }
    shape |= {key: value for key, value in optional.items() if value}
    return shape | _thread_summary(workspace, message)


def _thread_summary(workspace: "Workspace", message: Message) -> Json:
    replies = [reply for reply in workspace.messages.replies(message.channel, message.ts) if reply.visible_to is None]
    if not replies:
        return {}
    users = list(dict.fromkeys(reply.user for reply in replies))
    counts = {"reply_count": len(replies), "reply_users": users, "reply_users_count": len(users)}
    return {"thread_ts": message.ts, "latest_reply": replies[-1].ts} | counts


def _files(workspace: "Workspace", message: Message) -> list[Json]:
    files = (workspace.files.find(file_id) for file_id in message.files)
    created = int(float(message.ts))
    return [file_json(file, created=created, base_url=workspace.base_url) for file in files if file]


VIEW_DEFAULTS: Json = {
    "private_metadata": "",
    "callback_id": "",
    "external_id": "",
    "clear_on_close": False,
    "notify_on_close": False,
    "submit": None,
    "close": None,
}


def view_json(workspace: "Workspace", view: View) -> Json:
    ids = {"id": view.id, "hash": view.hash, "root_view_id": view.root_id, "previous_view_id": view.previous_id}
    app = {"team_id": workspace.team.id, "app_id": cast.APP_ID, "bot_id": cast.BOT_ID}
    return VIEW_DEFAULTS | view.content | ids | app | {"state": {"values": view.state}}
