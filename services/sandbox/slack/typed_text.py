"""Turns what a person types into what Slack stores: escaped, with people and channels as ids."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.sandbox.slack.workspace import Workspace

MENTION = re.compile(r"(?<![\w<])@([a-z][\w.-]*)")
MENTION_BY_ID = re.compile(r"&lt;@([UW][A-Z0-9]+)&gt;")  # as the composer's completion writes it
CHANNEL = re.compile(r"(?<![\w<&])#([a-z][\w-]*)")


def typed_message(workspace: "Workspace", text: str) -> str:
    """`ask @ann in #general` becomes `ask <@U…> in <#C…|general>`."""
    return _with_ids(workspace, _escape(text), lambda user_id, _: f"<@{user_id}>")


def typed_command(workspace: "Workspace", text: str) -> str:
    """The same for a slash command's text, where `should_escape` gives people's names too."""
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
