"""What a person said to the bot in a mention: which words are for it, and whether somebody spoke at all; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Payload = Mapping[str, Any]

# Subtypes of a message in which nobody speaks, and why each is one. A subtype that is not here is somebody speaking:
# `thread_broadcast` (also sent to the channel), `me_message` (/me), `file_share`, and whatever Slack adds next.
NOT_SPEECH: Mapping[str, str] = {
    "bot_message": "written by a program: two bots that mention each other would never stop",
    "assistant_app_thread": "Slack's opening of an assistant's thread",
    "reminder_add": "Slack tells that somebody set a reminder",
    "reminder_delete": "Slack tells that somebody deleted a reminder",
    "message_changed": "tells of an edit: a message is one command, read when it was posted",
    "message_deleted": "tells that a message is gone",
    "message_replied": "tells of a reply, which has an event of its own",
    "reply_broadcast": "the former notice of a broadcast reply, which has an event of its own",
    "tombstone": "what is left of a deleted message",
    "ekm_access_denied": "Slack stands in for a message that may not be read",
    **dict.fromkeys(("pinned_item", "unpinned_item"), "Slack tells of a pin, and quotes what was pinned"),
    **dict.fromkeys(("bot_add", "bot_remove", "bot_enable", "bot_disable"), "Slack tells of an integration"),
    **dict.fromkeys(("file_comment", "file_mention"), "Slack tells what was said about a file elsewhere"),
    **dict.fromkeys(("document_mention", "channel_canvas_updated"), "Slack tells of a canvas"),
    **dict.fromkeys(("huddle_thread", "sh_room_created"), "Slack tells of a call"),
    **{
        f"{kind}_{change}": "Slack tells what became of a conversation; its topic or name may mention the bot"
        for kind in ("channel", "group")
        for change in (
            *("join", "leave", "topic", "purpose", "name", "archive", "unarchive"),
            *("posting_permissions", "convert_to_private", "convert_to_public"),
        )
    },
}

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")


@dataclass(frozen=True)
class Mention:
    """`line`: the words after the bot's own mention. `before`: those before it, which are never run."""

    line: str
    before: str = ""
    is_edit: bool = False


def read_mention(event: Payload, bot_user: str | None) -> Mention | None:
    """What somebody said to the bot whose user id this is; None when nobody spoke. Without an id, any mention counts.

    A message that a program wrote carries `bot_id`, whatever its subtype.
    """
    if event.get("bot_id") or event.get("subtype") in NOT_SPEECH:
        return None
    text = str(event.get("text") or "")
    own = [found for found in _MENTION.finditer(text) if bot_user in (None, "", found[1])]
    is_edit = bool(event.get("edited"))
    if not own:
        return Mention(text, is_edit=is_edit)
    before, after = text[: own[0].start()], text[own[0].end() :]
    return Mention(after.replace(own[0][0], " "), before, is_edit)
