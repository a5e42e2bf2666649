"""The methods files.*: an upload in 3 steps; the bytes go to the upload address, which control.py serves."""

from services.sandbox.slack.messages import file_json
from services.sandbox.slack.methods.chat import new_message
from services.sandbox.slack.methods.method import Method, required
from services.sandbox.slack.methods.views import refuse_violations
from services.sandbox.slack.model import ApiError, File, Json
from services.sandbox.slack.workspace import Workspace


def get_upload_url(workspace: Workspace, args: Json) -> Json:
    name, size = required(args, "filename"), int(required(args, "length"))
    file = workspace.files.reserve(name, size, user=workspace.bot.id, alt_text=str(args.get("alt_txt") or ""))
    return {"upload_url": f"{workspace.base_url}/slack/upload/{file.id}", "file_id": file.id}


def complete_upload(workspace: Workspace, args: Json) -> Json:
    files = [_uploaded(workspace, item) for item in args.get("files") or []]
    if not files:
        raise ApiError("invalid_arguments")
    channel_id = args.get("channel_id") or args.get("channels")
    if channel_id:
        _share(workspace, files, str(channel_id), args)
    created = int(workspace.clock())
    return {"files": [file_json(file, created=created, base_url=workspace.base_url) for file in files]}


def info(workspace: Workspace, args: Json) -> Json:
    file = workspace.files.find(required(args, "file"))
    if file is None:
        raise ApiError("file_not_found")
    return {"file": file_json(file, created=int(workspace.clock()), base_url=workspace.base_url)}


def _uploaded(workspace: Workspace, item: Json) -> File:
    file = workspace.files.find(str(item.get("id")))
    if file is None or not file.is_complete:
        raise ApiError("file_not_found")
    file.title = item.get("title") or file.name
    return file


def _share(workspace: Workspace, files: list[File], channel_id: str, args: Json) -> None:
    channel = workspace.channels.get(channel_id)
    if channel is None:
        raise ApiError("channel_not_found")
    if workspace.bot.id not in channel.members:
        raise ApiError("not_in_channel")
    comment = {"text": args.get("initial_comment") or "", "thread_ts": args.get("thread_ts")}
    refuse_violations(workspace, comment, surface="message", method="files.completeUploadExternal", channel=channel.id)
    message = new_message(workspace, comment, channel.id)
    message.files = [file.id for file in files]
    for file in files:
        file.channels.append(channel.id)
    workspace.post(message)


METHODS: dict[str, Method] = {
    "files.getUploadURLExternal": get_upload_url,
    "files.completeUploadExternal": complete_upload,
    "files.info": info,
}
